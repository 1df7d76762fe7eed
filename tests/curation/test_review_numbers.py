"""What the numbers page says, against hand-counted answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.decide.policy import Band
from curation.ledger.tables import ClipRow, SourceEntry, Video
from curation.review.answers import Answer, answer, make_golden, record, undo
from curation.review.numbers import alpha, kappa, numbers
from curation.review.queue import enrol
from curation.settings.review import ReviewSettings
from curation.verdicts.answers import RejectReason, Verdict

YES, NO, SKIP = Verdict.ACCEPT, Verdict.REJECT, Verdict.SKIP
SETTINGS = ReviewSettings(double_share=1, audit_mix=0, golden_mix=0, per_class=3)


@pytest.fixture
def ledger(empty_ledger):
    with empty_ledger.session() as session:
        session.add(Video(id="v", link="https://example.org/v", local=False, cuts_us=[]))
        session.add(
            SourceEntry(
                id="s", table_name="t", row=1, caption="a dog", label="dog", licence="", outcome="ok", detail=""
            )
        )
        session.flush()
        for at in range(8):
            session.add(
                ClipRow(
                    id=f"clip{at}", video_id="v", source_id="s", start_us=0, end_us=2_000_000, band=Band.REVIEW,
                    policy="p", reasons=[], p_good=0.5, scores={}, audit=False, current=True, cut=None,
                )
            )  # fmt: skip
    enrol(empty_ledger, SETTINGS)
    return empty_ledger


def say(ledger, at, verdict, who, seconds=None):
    reason = RejectReason.MEANING if verdict is NO else None
    answer(ledger, Answer(f"clip{at}", verdict, who, reason, seconds=seconds), SETTINGS)


def test_each_reviewer_s_speed_load_and_golden_clips(ledger):
    for at, seconds in enumerate((2.0, 4.0, 12.0)):
        say(ledger, at, YES, "ada", seconds)
    say(ledger, 3, SKIP, "ada"), say(ledger, 4, NO, "ada"), undo(ledger, "ada")
    record(ledger, ["clip6", "clip7"], YES, reviewer="boss")
    make_golden(ledger, ["clip6", "clip7"])
    say(ledger, 6, YES, "ben"), say(ledger, 7, NO, "ben")
    ada, ben, boss = numbers(ledger, SETTINGS).reviewers
    assert (ada.name, ada.answers, ada.accepted, ada.skipped, ada.undone) == ("ada", 3, 3, 1, 1)
    assert ada.median_s == 4.0 and ada.per_hour == pytest.approx(3 * 3600 / 18)
    assert ben.golden.value == 0.5 and ben.median_s is None and ben.per_hour is None
    assert boss.answers == 2 and boss.golden.low == 0 and boss.golden.high == 1


def test_agreement_counts_clips_that_two_answered_unknown_to_each_other(ledger):
    for at, (one, other) in enumerate([(YES, YES), (YES, YES), (NO, NO), (YES, NO)]):
        say(ledger, at, one, "ada"), say(ledger, at, other, "ben")
    say(ledger, 3, NO, "eva"), say(ledger, 5, YES, "ada")
    found = numbers(ledger, SETTINGS)
    overall, meaning = found.agreement
    assert (overall.what, overall.clips, overall.alike) == ("accept or reject", 4, 0.75)
    # By hand: 8 values, 5 yes and 3 no; observed disagreement 2/8, expected 2*5*3/(8*7).
    assert overall.alpha == pytest.approx(1 - (2 / 8) / (30 / 56))
    assert meaning.what == RejectReason.MEANING and meaning.alpha == pytest.approx(overall.alpha)
    [pair] = found.pairs
    assert (pair.one, pair.other, pair.clips) == ("ada", "ben", 4) and pair.kappa == pytest.approx(0.5)
    assert found.reasons == ((RejectReason.MEANING, 4),) and sum(count for _, count in found.days) == 10


def test_an_empty_ledger_has_numbers_too(empty_ledger):
    found = numbers(empty_ledger, SETTINGS)
    assert found.reviewers == () and found.agreement[0].alike is None and found.agreement[0].alpha is None


def test_perfect_agreement_is_one_and_opposite_answers_are_below_chance():
    alike = [{"a": "yes", "b": "yes"}, {"a": "no", "b": "no"}]
    opposite = [{"a": "yes", "b": "no"}, {"a": "no", "b": "yes"}]
    assert alpha(alike) == 1 and alpha(opposite) < 0
    assert kappa([("y", "y"), ("n", "n")]) == 1 and kappa([("y", "n"), ("n", "y")]) == -1
    assert alpha([{"a": "yes", "b": "yes"}]) is None and kappa([]) is None and kappa([("y", "y")]) is None


@given(st.lists(st.tuples(st.sampled_from("yn"), st.sampled_from("yn")), min_size=1, max_size=30))
def test_kappa_lies_between_minus_one_and_one(pairs):
    found = kappa(pairs)
    assert found is None or -1 <= found <= 1
