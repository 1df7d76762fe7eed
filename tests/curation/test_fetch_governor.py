"""Politeness on a clock that only sleeping moves."""

import random
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.fetch.failures import FetchFailure
from curation.fetch.governor import Governor, site_of
from curation.outcomes import Outcome


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
    assert governed.tell("http://localhost/a", Outcome.RATE_LIMITED) is None
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


LINK = "https://example.com/a"


def refuse(governed, times, outcome=Outcome.BOT_WALL, **more):
    for _ in range(times):
        governed.wait(LINK)
        told = governed.tell(LINK, outcome, **more)
    return told


def is_open(governed):
    try:
        governed.wait(LINK)
    except FetchFailure:
        return True
    return False


@pytest.mark.parametrize("outcome", [Outcome.BOT_WALL, Outcome.RATE_LIMITED])
def test_three_refusals_open_the_circuit_and_the_failure_says_until_when(outcome):
    clock = Clock()
    governed = governor(10_000, clock)
    refuse(governed, 2, outcome)
    assert not is_open(governed)
    retry_at = governed.tell(LINK, outcome)
    with pytest.raises(FetchFailure, match="left alone until") as failure:
        governed.wait(LINK)
    assert failure.value.outcome is outcome
    assert failure.value.retry_at == retry_at == datetime.fromtimestamp(clock.now + 3600, UTC)
    assert governed.wait("https://other.example/") == 0


def test_other_failures_and_a_success_between_keep_it_closed():
    governed = governor(10_000, Clock())
    for outcome in (Outcome.BOT_WALL, Outcome.BOT_WALL, Outcome.OK) * 3 + (Outcome.REMOVED,) * 9:
        governed.wait(LINK)
        governed.tell(LINK, outcome)
    assert not is_open(governed)


def test_when_it_has_cooled_one_video_is_tried_and_its_success_lets_all_go_on():
    clock = Clock()
    governed = governor(10_000, clock)
    refuse(governed, 3)
    clock.sleep(3601)
    assert governed.wait(LINK) == 0
    assert is_open(governed), "one at a time"
    governed.tell(LINK, Outcome.OK)
    assert not is_open(governed) and not is_open(governed)


def test_a_host_that_goes_on_refusing_is_left_alone_twice_as_long_each_time_up_to_a_day():
    clock = Clock()
    governed, pauses = governor(10_000, clock), []
    refuse(governed, 3)
    for _ in range(8):
        with pytest.raises(FetchFailure) as failure:
            governed.wait(LINK)
        pauses.append(round(failure.value.retry_at.timestamp() - clock.now))
        clock.now = failure.value.retry_at.timestamp() + 1
        governed.wait(LINK)
        governed.tell(LINK, Outcome.BOT_WALL)
    assert pauses == [3600 * 2**turn if turn < 5 else 86_400 for turn in range(8)]


def test_a_host_that_names_its_own_time_gets_it_at_once():
    clock = Clock()
    governed = governor(10_000, clock)
    governed.wait(LINK)
    assert governed.tell(LINK, Outcome.RATE_LIMITED, retry_after_s=7200).timestamp() == clock.now + 7200
    assert is_open(governed)
    clock.sleep(7201)
    assert not is_open(governed)


def test_an_earlier_run_counts():
    clock = Clock()
    clock.now = 1_000_000.0
    governed = governor(10, clock)
    for minute in range(10):
        governed.remember(LINK, datetime.fromtimestamp(clock.now - 600 + 60 * minute, UTC))
    assert governed.wait(LINK) > 2400
    governed.leave_alone("https://a.example/", datetime.fromtimestamp(clock.now + 60, UTC))
    with pytest.raises(FetchFailure, match=r"a\.example"):
        governed.wait("https://a.example/x")


def test_whoever_waits_for_a_turn_is_turned_back_when_the_circuit_opens_meanwhile():
    clock = Clock()

    def sleep(seconds):
        clock.sleep(seconds)
        for _ in range(3):
            governed.tell(LINK, Outcome.RATE_LIMITED)

    governed = Governor(videos_per_hour=1, clock=clock, sleep=sleep)
    governed.wait(LINK)
    with pytest.raises(FetchFailure, match="left alone"):
        governed.wait(LINK)


def test_a_failure_says_whether_anybody_was_asked():
    governed = governor(10_000, Clock())
    refuse(governed, 3)
    with pytest.raises(FetchFailure) as failure:
        governed.wait(LINK)
    assert not failure.value.asked and FetchFailure(Outcome.RATE_LIMITED).asked


@given(st.integers(1, 300), st.integers(0, 2000))
def test_an_hour_after_the_last_one_an_earlier_run_counts_no_more(budget, many):
    clock = Clock()
    governed, now = governor(budget, clock), 1_000_000.0
    for _ in range(many):
        governed.remember(LINK, datetime.fromtimestamp(now, UTC))
    clock.now = now + 3600
    assert governed.wait(LINK) == pytest.approx(0, abs=1e-6)


def test_pauses_between_two_videos_vary_by_chance():
    clock = Clock()
    governed = Governor(
        videos_per_hour=100_000, pause_s=2, jitter=0.5, clock=clock, sleep=clock.sleep, chance=random.Random(1)
    )
    pauses = [governed.wait(LINK) for _ in range(50)][1:]
    assert min(pauses) >= 2 and max(pauses) <= 3 and len({round(pause, 3) for pause in pauses}) > 40
