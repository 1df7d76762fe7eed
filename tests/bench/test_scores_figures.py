"""The figures of the scores' benchmark say what they are of, and how sure they are."""

from argparse import Namespace

import numpy as np
import pytest

from bench import scores
from bench.stats import auc, auc_interval


@pytest.fixture(scope="module")
def found():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scores, "SCORES", ("motion", "loudness", "sync"))
        patch.setattr(scores, "corpus", lambda: None)
        return scores.run(Namespace(films=4, seed=7))


def test_every_figure_has_a_name_of_its_own(found):
    names = [goal.what for goal in found.goals]
    assert len(set(names)) == len(names)
    assert {f"calibrated precision on fresh seeds, at {target}" for target in scores.TARGETS} <= set(names)


def test_what_was_not_aimed_at_is_neither_met_nor_missed(found):
    plain = [goal for goal in found.goals if goal.wanted == "no goal"]
    assert len(plain) == 9 and {goal.met for goal in plain} == {None}
    assert all(goal.met is not None for goal in found.goals if goal not in plain)


def test_a_frozen_picture_moves_in_no_curve_so_it_ranks_below_all_that_is_right(found):
    assert {row["frozen"] for row in found.rows if row["column"] == "policy"} == {1.0}


def test_the_notes_say_which_shifts_have_no_offset_error_and_what_intervals_suppose(found):
    told = " ".join(found.notes)
    assert "offset errors leave out the shifts by 1 s" in told
    assert "films drawn by lot, each with all that was made of it" in told and "as if windows were independent" in told


def test_cases_of_one_film_do_not_count_as_so_many_films():
    random = np.random.default_rng(0)
    good, level = random.normal(1, 1, 30), random.normal(0, 1, 30)
    one, copies = level[None], np.repeat(level[None], 10, axis=0)
    low, high = scores.interval_by_film(good, copies)
    assert (low, high) == scores.interval_by_film(good, one)
    assert low < auc(good, level) < high
    pooled_low, pooled_high = auc_interval(good, copies.ravel())
    assert high - low > 1.1 * (pooled_high - pooled_low)


def test_a_film_is_drawn_with_its_own_right_case():
    # In each film the wrong case is a little worse than the right one, and films differ far more than that.
    level = np.arange(20.0)
    low, high = scores.interval_by_film(level, level[None] - 0.5)
    assert low > 0.5 and high < 0.6
