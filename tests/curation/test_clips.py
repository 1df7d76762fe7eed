"""Windows and merged clips as arithmetic: whatever the shots and frames, these hold."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curation.clips import clip_id, merge, propose

WINDOW, STRIDE = 3_000_000, 500_000

gaps = st.lists(st.integers(8_000, 120_000), min_size=2, max_size=300)
cuts = st.lists(st.integers(1, 299), max_size=4, unique=True)


def video(gaps_us, cut_frames):
    """Frame times, and shots that begin on frames."""
    times = np.concatenate([[0], np.cumsum(gaps_us)])
    edges = sorted({0, *(int(times[k]) for k in cut_frames if k < len(times) - 1), int(times[-1])})
    return times[:-1], list(pairwise(edges))


def windows(frame_us, shots, span_us, window_us=WINDOW, stride_us=STRIDE):
    return list(propose(shots, window_us=window_us, stride_us=stride_us, frame_us=frame_us, span_us=span_us))


@given(gaps, cuts, st.integers(0, 10_000_000), st.integers(1, 20_000_000))
def test_windows_begin_on_frames_inside_the_span_and_know_whether_they_cross_a_cut(gaps_us, cut_frames, first, length):
    frame_us, shots = video(gaps_us, cut_frames)
    last = min(first + length, shots[-1][1])
    found = windows(frame_us, shots, (first, last))
    assert len({one.start_us for one in found}) == len(found)
    for one in found:
        start, end = shots[one.shot]
        assert one.start_us in frame_us and one.end_us - one.start_us == WINDOW
        assert first <= one.start_us and one.end_us <= last
        assert start <= one.start_us < end
        assert one.crosses_cut == (one.end_us > end)


def test_a_shot_of_six_seconds_gives_seven_windows():
    frame_us = np.arange(0, 6_000_000, 40_000)
    found = windows(frame_us, [(0, 6_000_000)], (0, 6_000_000))
    # 0.5 s is no frame's time at 25 frames a second; the window begins at the next one.
    assert [one.start_us for one in found] == [0, 520_000, 1_000_000, 1_520_000, 2_000_000, 2_520_000, 3_000_000]
    assert not any(one.crosses_cut for one in found)


def test_windows_over_a_cut_are_proposed_and_marked():
    frame_us = np.arange(0, 6_000_000, 40_000)
    found = windows(frame_us, [(0, 2_600_000), (2_600_000, 6_000_000)], (0, 6_000_000))
    assert [one.crosses_cut for one in found] == [True] * 6 + [False]
    assert found[-1].shot == 1 and found[-1].start_us == 2_600_000


spans = st.lists(
    st.tuples(st.integers(0, 40).map(lambda k: k * STRIDE), st.just(WINDOW)).map(lambda one: (one[0], one[0] + one[1])),
    min_size=1,
    unique=True,
)


@given(spans, st.integers(WINDOW, 12_000_000))
def test_merging_covers_the_same_time_without_overlap_within_the_cap(chosen, max_us):
    found = merge(chosen, max_us=max_us)
    ticks = {tick for start, end in chosen for tick in range(start, end, STRIDE)}
    assert sorted(tick for start, end in found for tick in range(start, end, STRIDE)) == sorted(ticks)
    assert all(0 < end - start <= max_us for start, end in found)
    starts = {start for start, _ in chosen}
    assert all(start in starts for start, _ in found)


@given(st.lists(st.integers(0, 30_000_000), min_size=1, unique=True), st.integers(WINDOW, 10_000_000))
def test_the_cap_holds_for_starts_at_any_microsecond(starts, max_us):
    found = merge([(start, start + WINDOW) for start in starts], max_us=max_us)
    assert all(0 < end - start <= max_us for start, end in found)
    assert all(one[1] <= other[0] for one, other in pairwise(found))


def test_adjacent_windows_join_and_distant_ones_do_not():
    assert merge([(0, 3), (3, 6), (7, 10)], max_us=100) == [(0, 6), (7, 10)]


def test_what_grows_beyond_the_cap_is_split_evenly():
    row = [(k * STRIDE, k * STRIDE + WINDOW) for k in range(19)]
    assert merge(row, max_us=10_000_000) == [(0, 6_000_000), (6_000_000, 12_000_000)]


def test_an_id_depends_on_video_start_and_end_alone():
    assert clip_id("a", 1, 23) == clip_id("a", 1, 23)
    assert len({clip_id("a", 1, 23), clip_id("a", 12, 3), clip_id("a1", 2, 3), clip_id("b", 1, 23)}) == 4
    assert len(clip_id("a", 1, 2)) == 20 and int(clip_id("a", 1, 2), 16) >= 0
