"""Which of several answers on a clip counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.verdicts.answers import Given, Role, State, Verdict, standing

YES, NO, SKIP, UNDO = Verdict.ACCEPT, Verdict.REJECT, Verdict.SKIP, Verdict.UNDO


def said(*rows):
    """Rows as (reviewer, verdict[, role or id of what is undone])."""
    found = []
    for at, (who, verdict, *more) in enumerate(rows, 1):
        undoes = more[0] if verdict is UNDO else None
        role = more[0] if more and verdict is not UNDO else Role.ANSWER
        found.append(Given(at, who, verdict, role, undoes))
    return found


@pytest.mark.parametrize(
    ("rows", "wanted", "state", "counts"),
    [
        ([], 1, State.WAITING, None),
        ([("ada", YES)], 1, State.DONE, 1),
        ([("ada", YES), ("ada", NO)], 1, State.DONE, 2),
        ([("ada", SKIP)], 1, State.WAITING, None),
        ([("ada", YES)], 2, State.WAITING, 1),
        ([("ada", YES), ("ben", YES)], 2, State.DONE, 2),
        ([("ada", YES), ("ben", NO)], 1, State.DISPUTED, None),
        ([("ada", YES), ("ben", NO), ("eva", NO, Role.ADJUDICATION)], 2, State.DONE, 3),
        ([("ada", YES), ("ben", NO), ("eva", NO, Role.ADJUDICATION), ("ada", YES)], 2, State.DONE, 3),
        ([("ada", YES), ("ben", NO, Role.FINAL)], 1, State.DONE, 2),
        ([("ada", YES), ("ben", NO, Role.GOLDEN)], 1, State.DONE, 1),
        ([("ada", YES), ("ada", UNDO, 1)], 1, State.WAITING, None),
        ([("ada", NO), ("ada", YES), ("ada", UNDO, 2)], 1, State.DONE, 1),
        ([("ada", YES), ("ben", NO), ("ben", UNDO, 2)], 1, State.DONE, 1),
    ],
)
def test_what_answers_come_to(rows, wanted, state, counts):
    found = standing(said(*rows), wanted=wanted)
    assert (found.state, found.counts) == (state, counts)


people = st.sampled_from(["ada", "ben", "eva"])
answers = st.lists(st.tuples(people, st.sampled_from([YES, NO, SKIP])), max_size=8)


@given(answers, st.randoms(), st.integers(1, 3))
def test_the_order_in_which_rows_are_read_does_not_matter(rows, random, wanted):
    given_rows = said(*rows)
    mixed = random.sample(given_rows, len(given_rows))
    assert standing(mixed, wanted=wanted) == standing(given_rows, wanted=wanted)


@given(answers, st.integers(1, 3))
def test_undoing_everything_leaves_nothing(rows, wanted):
    undone = [*rows, *((who, UNDO, at) for at, (who, _) in enumerate(rows, 1))]
    assert standing(said(*undone), wanted=wanted).counts is None


@given(answers)
def test_what_counts_is_an_answer_that_was_given_and_a_done_clip_has_one(rows):
    given_rows = said(*rows)
    found = standing(given_rows)
    assert (found.state is State.DONE) == (found.counts is not None)
    if found.counts:
        assert given_rows[found.counts - 1].verdict in (YES, NO)
