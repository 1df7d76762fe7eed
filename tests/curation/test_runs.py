"""Where samples lie, from stamps that are rounded, wobble, drift and leap."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.media.runs import runs_of

RATE_HZ, PACKET = 48_000, 960


def runs(*, seconds=30, late_s=lambda at: 0 * at):
    """The runs of packets of 20 ms whose stamps are so much late, and the same true times."""
    starts = np.arange(round(seconds * RATE_HZ / PACKET)) * PACKET
    at = starts / RATE_HZ
    return runs_of(starts, at + late_s(at), samples=len(starts) * PACKET, rate_hz=RATE_HZ)


def wobble(by_s, seed=0):
    return lambda at: np.random.default_rng(seed).uniform(-by_s, by_s, len(at))


def test_rounded_stamps_are_one_run_to_a_fraction_of_a_millisecond():
    (one,) = runs(late_s=lambda at: np.round(at + 0.0004, 3) - at)
    assert abs(one.at_s) < 5e-4 and not len(one.knots) and one.wobble_s <= 1e-3


@given(by_ms=st.integers(20, 80), seed=st.integers(0, 1000))
@settings(max_examples=30)
def test_the_wobble_of_live_capture_leaves_samples_continuous(by_ms, seed):
    (one,) = runs(late_s=wobble(by_ms / 1000, seed))
    assert abs(one.at_s) < one.wobble_s / 5 and one.wobble_s == pytest.approx(0.95 * by_ms / 1000, rel=0.1)


@given(hole_ms=st.integers(21, 3_000), at_packet=st.integers(20, 1400), rounded=st.booleans())
@settings(max_examples=50)
def test_a_hole_that_stays_begins_a_run_at_its_very_sample(hole_ms, at_packet, rounded):
    def late_s(at):
        late = (np.arange(len(at)) >= at_packet) * hole_ms / 1000
        return np.round(at + late, 3) - at if rounded else late

    one, other = runs(late_s=late_s)
    assert one.last == other.first == at_packet * PACKET
    assert other.at_s - one.at_s == pytest.approx(other.first / RATE_HZ + hole_ms / 1000, abs=1e-3)


def test_a_hole_in_a_wobble_is_found_if_it_is_larger():
    one, other = runs(late_s=lambda at: wobble(0.02)(at) + (at >= 12) * 1.2)
    assert one.last == 600 * PACKET and other.at_s == pytest.approx(13.2, abs=5e-3)


def test_stamps_that_are_off_for_a_second_and_come_back_make_no_hole():
    (one,) = runs(late_s=lambda at: ((at % 10) > 9) * (at < 29) * 0.06)
    assert one.at_s == 0 and one.wobble_s == pytest.approx(0.06, abs=1e-3)


@pytest.mark.parametrize("by_s", [0.0, 0.02])
def test_a_clock_that_runs_away_is_followed(by_s):
    """300 parts in a million are 0.18 s in ten minutes."""
    (one,) = runs(seconds=600, late_s=lambda at: 3e-4 * at + wobble(by_s)(at))
    samples = np.arange(0, 600 * RATE_HZ, RATE_HZ)
    found = one.at_s + np.interp(samples, one.knots, one.late_s)
    assert np.abs(found - 3e-4 * samples / RATE_HZ).max() < 6e-3


def test_stamps_that_run_away_faster_than_any_clock_are_not_followed():
    (one,) = runs(late_s=lambda at: np.minimum(at - 1, 0) * 0.016)
    assert one.at_s == 0 and not len(one.knots)


def test_packets_without_a_stamp_count_with_their_neighbours():
    starts = np.arange(100) * PACKET
    stamps = np.where(starts < 30 * PACKET, np.nan, starts / RATE_HZ + 5)
    (one,) = runs_of(starts, stamps, samples=100 * PACKET, rate_hz=RATE_HZ)
    assert one.at_s == pytest.approx(5)
