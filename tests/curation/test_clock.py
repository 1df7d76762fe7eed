"""One timeline for a file, from the stamps of its packets alone."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.media.clock import clock_of
from curation.media.failures import MediaFailure
from curation.media.stamps import AHEAD_US, BACK_US, UNKNOWN, Packets
from curation.outcomes import Outcome

PICTURE_US, SOUND_US = 40_000, 20_000


def tracks(*parts, seconds=2.0, sound_shift_us=0):
    """Packets of picture and sound of parts that begin at these instants, interleaved by time."""
    seen, heard = [], []
    for number, begin_us in enumerate(parts):
        true_us = number * round(seconds * 1e6)
        seen += [(true_us + at, begin_us + at) for at in range(0, round(seconds * 1e6), PICTURE_US)]
        late_us = sound_shift_us if number else 0
        heard += [(true_us + at, begin_us + at + late_us) for at in range(0, round(seconds * 1e6), SOUND_US)]
    order = sorted([(at, 0) for at, _ in seen] + [(at, 1) for at, _ in heard])
    places = [[n for n, (_, track) in enumerate(order) if track == which] for which in (0, 1)]
    return [packets([stamp for _, stamp in one], place) for one, place in zip((seen, heard), places, strict=True)]


def packets(stamps, places=None):
    times = np.array(stamps, np.int64)
    return Packets(
        times, times, np.arange(len(times)) if places is None else np.array(places), np.ones(len(times), bool)
    )


def test_a_file_of_one_clock_is_left_as_it_is():
    clock = clock_of(*tracks(1_480_000))
    assert clock.seekable and [one.shift_us for one in clock.parts] == [0]
    assert (clock.step_us, clock.fps, clock.span_us) == (PICTURE_US, 25, 2_000_000)


@pytest.mark.parametrize("begin_us", [0, 1_480_000, 5_000_000 + AHEAD_US])
def test_a_part_begins_where_the_pictures_before_it_end(begin_us):
    clock = clock_of(*tracks(1_480_000, begin_us))
    assert not clock.seekable and clock.span_us == 4_000_000
    first, second = clock.parts
    assert (second.picture, second.sound) == (50, 100)
    assert begin_us + second.shift_us == 3_480_000 == first.within_us[1] == second.within_us[0]


def test_a_part_that_goes_back_by_little_is_a_part():
    clock = clock_of(*tracks(0, 1_900_000))
    assert [one.picture for one in clock.parts] == [0, 50] and clock.span_us == 4_000_000


def test_a_leap_of_both_tracks_that_is_no_restart_is_a_hole():
    clock = clock_of(*tracks(0, 2_000_000 + AHEAD_US // 2))
    assert clock.seekable and clock.span_us == 4_000_000 + AHEAD_US // 2
    assert clock.lost_us == (1_960_000,)


@pytest.mark.parametrize("which", [0, 1])
def test_a_clock_that_begins_anew_in_one_track_alone_is_refused(which):
    both = tracks(0, seconds=4.0)
    half = len(both[which]) // 2
    stamps = both[which].shown_us.copy()
    stamps[half:] -= 2 * BACK_US
    both[which] = packets(stamps, both[which].place)
    with pytest.raises(MediaFailure) as caught:
        clock_of(*both)
    assert caught.value.outcome is Outcome.BROKEN_CLOCK and caught.value.remedy


def test_tracks_that_begin_anew_at_clocks_of_their_own_are_refused():
    with pytest.raises(MediaFailure, match="no clock in common"):
        clock_of(*tracks(30_000_000, 0, sound_shift_us=9_000_000))


def test_a_part_without_sound_has_its_pictures_alone():
    picture, sound = tracks(0, 0)
    clock = clock_of(picture, packets(sound.shown_us[:100], sound.place[:100]))
    assert [(one.picture, one.sound) for one in clock.parts] == [(0, 0), (50, 100)]


def test_a_stamp_that_leaps_away_and_back_is_none():
    picture, sound = tracks(0)
    stamps = picture.shown_us.copy()
    stamps[20] += 3_600_000_000
    clock = clock_of(packets(stamps, picture.place), sound)
    assert clock.strays == {20} and clock.unstamped and clock.span_us == 2_000_000


def test_a_stamp_that_leaps_away_in_what_is_shown_alone_is_none():
    picture, sound = tracks(0)
    shown = picture.shown_us.copy()
    shown[20] += 3_600_000_000
    clock = clock_of(Packets(shown, picture.decoded_us, picture.place, picture.key), sound)
    assert clock.strays == {20} and clock.span_us == 2_000_000


@pytest.mark.parametrize(
    ("order", "leaning"), [([0, 1, 2, 3], 0), ([0, 2, 1, 4, 3], 1), ([0, 4, 2, 1, 3, 8, 6, 5, 7], 3)]
)
def test_as_many_pictures_lean_on_a_later_one_as_are_decoded_after_it_and_shown_before(order, leaning):
    sound = packets(np.arange(0, 360_000, SOUND_US), np.arange(9, 27))
    clock = clock_of(packets(np.array(order) * PICTURE_US), sound)
    assert clock.leaning_us == leaning * PICTURE_US


def test_pictures_without_a_stamp_are_counted_from_the_first_that_has_one():
    picture, sound = tracks(-400_000)
    stamps = np.where(picture.shown_us < 0, UNKNOWN, picture.shown_us)
    clock = clock_of(packets(stamps, picture.place), sound)
    assert clock.first_us == -400_000 and not clock.seekable and clock.fps == 25


stamps = st.lists(st.one_of(st.just(UNKNOWN), st.integers(-10_000_000, 10_000_000)), min_size=1, max_size=60)


@given(seen=stamps, heard=stamps)
def test_any_packets_have_a_clock_or_an_outcome(seen, heard):
    places = np.random.default_rng(len(seen)).permutation(len(seen) + len(heard))
    try:
        clock = clock_of(packets(seen, np.sort(places[: len(seen)])), packets(heard, np.sort(places[len(seen) :])))
    except MediaFailure as failure:
        assert failure.outcome is Outcome.BROKEN_CLOCK
        return
    assert clock.step_us > 0 and clock.span_us > 0
    for one, after in pairwise(clock.parts):
        assert one.picture < after.picture and one.sound <= after.sound and one.within_us[1] == after.within_us[0]
