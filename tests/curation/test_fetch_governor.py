"""Politeness on a clock that only sleeping moves."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.fetch.governor import Governor, site_of


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def governor(budget, clock):
    return Governor(videos_per_hour=budget, clock=clock, sleep=clock.sleep)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.lists(st.floats(0, 2000), min_size=1, max_size=80))
def test_in_no_hour_is_a_site_asked_more_often_than_its_budget(budget, pauses):
    clock = Clock()
    governed, asked = governor(budget, clock), []
    for pause in pauses * (1 + 2 * budget // len(pauses)):
        clock.sleep(pause if budget < 20 else pause / 100)
        governed.wait("https://example.com/a")
        asked.append(clock.now)
    for first, begun in enumerate(asked):
        assert sum(begun <= at < begun + 3600 - 1e-3 for at in asked[first : first + budget + 2]) <= budget


def test_a_few_videos_come_at_once_and_then_the_pace_counts():
    clock = Clock()
    governed = governor(250, clock)
    assert [governed.wait("https://example.com/a") for _ in range(5)] == [0.0] * 5
    assert governed.wait("https://example.com/b") == pytest.approx(3600 / 246)


def test_sites_do_not_wait_for_each_other_but_their_aliases_do():
    clock = Clock()
    governed = governor(1, clock)
    assert governed.wait("https://www.youtube.com/watch?v=a") == 0
    assert governed.wait("https://vimeo.com/1") == 0
    assert governed.wait("https://youtu.be/b") == pytest.approx(3600)


def test_this_machine_needs_no_sparing():
    governed = governor(1, Clock())
    assert [governed.wait(f"http://{host}/a") for host in ("127.0.0.1:80", "localhost", "[::1]") * 3] == [0.0] * 9
    assert site_of("https://M.YouTube.com./x") == "youtube.com"


def test_threads_share_one_budget():
    pauses, lock = [], threading.Lock()

    def sleep(seconds):
        with lock:
            pauses.append(seconds)

    governed = Governor(videos_per_hour=100, clock=lambda: 0.0, sleep=sleep)
    threads = [threading.Thread(target=governed.wait, args=("https://example.com/",)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pace = 3600 / 98
    assert sorted(pauses) == pytest.approx([pace * turn for turn in range(1, 18)])
