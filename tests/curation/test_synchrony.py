"""The parts of the synchrony score: clocks, regions, lags and the posterior over offsets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.scores.synchrony.clock import at_ticks, ticks_us, unit
from curation.scores.synchrony.lags import repeats
from curation.scores.synchrony.posterior import Likelihood, offsets, on_film
from curation.scores.synchrony.regions import boxes

LAGS_S = np.arange(-100, 101) / 50


def peak_at(lag_s, height):
    return np.where(np.abs(LAGS_S - lag_s) < 0.01, height, 0.0)


def test_values_between_samples_lie_on_straight_lines_and_are_held_at_the_ends():
    ticks = ticks_us(0, 100_000)
    found = at_ticks(np.array([1.0, 3.0]), np.array([20_000.0, 60_000.0]), ticks)
    assert ticks.tolist() == [0, 20_000, 40_000, 60_000, 80_000] and found.tolist() == [1, 1, 2, 3, 3]


def test_a_curve_that_does_not_vary_stays_nothing():
    assert not unit(np.full((2, 50), 7.0)).any()


def test_regions_lie_inside_the_picture():
    left, top, side = boxes().T
    assert len(boxes()) == 11**2 + 9**2 and set(side) == {2 / 12, 4 / 12}
    assert min(left.min(), top.min()) == 0 and max((left + side).max(), (top + side).max()) == pytest.approx(1)


@given(st.lists(st.floats(-4, 6), min_size=201, max_size=201))
def test_the_posterior_is_one_of_probabilities(z):
    found = offsets(LAGS_S, np.array(z))
    assert found.probability.sum() + found.none == pytest.approx(1)
    assert 0 <= found.near(0.0) <= 1 and abs(found.likeliest_s()) <= 1


@pytest.mark.parametrize("lag_s", [0.0, 0.3, -0.5, 0.9])
def test_what_stands_out_far_is_believed(lag_s):
    found = offsets(LAGS_S, peak_at(lag_s, 8.0))
    assert found.likeliest_s() == pytest.approx(lag_s) and found.near(lag_s) > 0.9


def test_what_does_not_stand_out_leaves_the_beliefs_of_before():
    """In place, elsewhere and none are equally likely; the last by what film says of it."""
    found = offsets(LAGS_S, np.zeros(201), Likelihood(slope=1.0, bend=0.1, none=0.0))
    assert found.near(0.0) == pytest.approx(1 / 3) and found.none == pytest.approx(1 / 3)


def test_two_lags_that_stand_out_alike_share_the_belief():
    found = offsets(LAGS_S, peak_at(0.3, 6.0) + peak_at(-0.4, 6.0))
    assert found.near(0.3) == pytest.approx(found.near(-0.4)) and found.near(0.3) < 0.5


def test_more_evidence_is_never_less_belief_on_film():
    found = [offsets(LAGS_S, peak_at(0.0, height)).near(0.0) for height in np.linspace(-2, 8, 21)]
    assert (np.diff(found) >= 0).all() and on_film().slope > 0 and on_film().bend >= 0


def test_beats_repeat_and_irregular_blows_do_not():
    beats, blows = np.zeros(500), np.zeros(500)
    beats[::25] = 1
    blows[np.random.default_rng(3).choice(500, 20, replace=False)] = 1
    assert repeats(beats, beyond_s=0.15) > 0.9 and repeats(blows, beyond_s=0.15) < 0.5
    assert repeats(np.zeros(500), beyond_s=0.15) == 0
