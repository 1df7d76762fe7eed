"""What a person's answer is worth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.decide.asking import Order, disagreement, entropy, value_of_answer

shares = st.floats(0, 1)


def test_what_nobody_knows_is_worth_most():
    assert entropy(0.5) == 1
    assert entropy(0) == entropy(1) == 0
    values = [value_of_answer(p_good) for p_good in (0.5, 0.7, 0.9, 0.99)]
    assert values == sorted(values, reverse=True)


def test_a_class_that_lacks_clips_comes_before_one_that_does_not():
    assert value_of_answer(0.6, deficit=1) > value_of_answer(0.6, deficit=0.5) > value_of_answer(0.6)


def test_scores_that_contradict_each_other_are_worth_a_look_even_where_the_policy_is_sure():
    torn = {"p_in_sync": 0.95, "synchformer_p_in_sync": 0.05, "motion_mean": 3.0}
    agreed = {"p_in_sync": 0.95, "synchformer_p_in_sync": 0.9}
    assert disagreement(torn) == pytest.approx(0.9) and disagreement({"p_in_sync": 0.95}) == 0
    assert value_of_answer(0.95, columns=torn) > value_of_answer(0.6 + 0.3, columns=agreed)


def test_whoever_collects_is_asked_what_is_likeliest_good_and_what_a_class_lacks():
    torn = {"p_in_sync": 0.95, "synchformer_p_in_sync": 0.05}
    values = [value_of_answer(p_good, columns=torn, order=Order.COLLECT) for p_good in (0.99, 0.9, 0.5, 0.1)]
    assert values == [0.99, 0.9, 0.5, 0.1]
    assert value_of_answer(0.8, deficit=1, order=Order.COLLECT) > value_of_answer(0.9, order=Order.COLLECT)


def test_a_score_that_was_not_measured_has_no_opinion():
    assert disagreement({"p_in_sync": 0.9, "synchformer_p_in_sync": float("nan"), "agreement": 0.4}) == pytest.approx(
        0.5
    )


@given(p_good=shares, deficit=shares, seen=shares, heard=shares)
def test_a_value_is_never_negative_nor_without_bound(p_good, deficit, seen, heard):
    columns = {"p_in_sync": seen, "synchformer_p_in_sync": heard}
    assert 0 <= value_of_answer(p_good, deficit=deficit, columns=columns) <= 2
