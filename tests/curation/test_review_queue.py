"""The review queue: what waits, in which order, and that answers are added and never changed."""

import pytest
from sqlalchemy import select

from curation.decide.policy import Band
from curation.ledger.tables import ClipRow, SourceEntry, VerdictRow, Video
from curation.outcomes import Outcome
from curation.review.desk import UnknownClip, lay_out
from curation.review.queue import RejectReason, Verdict, flagged, record
from curation.review.words import REASONS, lag, measures, span, web_link, why
from shards.errors import BadInput


@pytest.fixture
def ledger(empty_ledger):
    with empty_ledger.session() as session:
        session.add(Video(id="v", link="https://example.org/v", local=False, cuts_us=[]))
        session.add(
            SourceEntry(
                id="s", table_name="t", row=1, caption="a dog", label="dog", licence="", outcome="ok", detail=""
            )
        )
    return empty_ledger


def add_clip(ledger, clip_id, p_good=0.5, *, band=Band.REVIEW, audit=False, current=True, reasons=()):
    with ledger.session() as session:
        session.add(
            ClipRow(
                id=clip_id, video_id="v", source_id="s", start_us=0, end_us=2_000_000, band=band, policy="p",
                reasons=list(reasons), p_good=p_good, scores={"sync": 0.4}, audit=audit, current=current, cut=None,
            )
        )  # fmt: skip


def ids(items):
    return [item.clip_id for item in items]


def verdict_rows(ledger):
    with ledger.session() as session:
        rows = session.scalars(select(VerdictRow).order_by(VerdictRow.id))
        return [(row.clip_id, row.verdict, row.reason, row.reviewer) for row in rows]


def test_the_most_uncertain_clip_comes_first(ledger):
    for clip_id, p_good in (("sure", 0.74), ("torn", 0.51), ("doubtful", 0.3)):
        add_clip(ledger, clip_id, p_good)
    assert ids(flagged(ledger)) == ["torn", "doubtful", "sure"]


def test_accepted_clips_are_asked_about_only_when_drawn_for_an_audit(ledger):
    add_clip(ledger, "accepted", 0.9, band=Band.ACCEPT)
    add_clip(ledger, "audited", 0.9, band=Band.ACCEPT, audit=True)
    [item] = flagged(ledger)
    assert (item.clip_id, item.reasons) == ("audited", (Outcome.AUDIT,))


def test_a_clip_that_is_no_longer_proposed_is_not_asked_about(ledger):
    add_clip(ledger, "old", current=False)
    assert flagged(ledger) == []


def test_an_answered_clip_no_longer_waits_but_stays_in_the_full_list(ledger):
    add_clip(ledger, "one")
    record(ledger, ["one"], Verdict.ACCEPT, reviewer="ada")
    assert flagged(ledger) == []
    assert [item.verdict for item in flagged(ledger, waiting_only=False)] == [Verdict.ACCEPT]


def test_a_second_answer_counts_and_the_first_stays_on_record(ledger):
    add_clip(ledger, "one")
    record(ledger, ["one"], Verdict.ACCEPT, reviewer="ada")
    record(ledger, ["one"], Verdict.REJECT, reviewer="ben", reason=RejectReason.MEANING)
    assert [item.verdict for item in flagged(ledger, waiting_only=False)] == [Verdict.REJECT]
    assert verdict_rows(ledger) == [("one", "accept", "", "ada"), ("one", "reject", "meaning", "ben")]


def test_a_rejection_without_a_reason_is_refused(ledger):
    add_clip(ledger, "one")
    with pytest.raises(BadInput, match="needs a reason"):
        record(ledger, ["one"], Verdict.REJECT, reviewer="ada")
    assert verdict_rows(ledger) == []


def test_one_unknown_clip_among_several_leaves_no_answer_at_all(ledger):
    add_clip(ledger, "one")
    with pytest.raises(BadInput, match="no clip two"):
        record(ledger, ["one", "two"], Verdict.ACCEPT, reviewer="ada")
    assert verdict_rows(ledger) == []


def test_the_desk_counts_what_waits_and_what_is_done(ledger):
    for number in range(4):
        add_clip(ledger, f"clip{number}", 0.5 + number / 100)
    record(ledger, ["clip0", "clip1"], Verdict.ACCEPT, reviewer="ada")
    record(ledger, ["clip2"], Verdict.REJECT, reviewer="ada", reason=RejectReason.BAD_QUALITY)
    desk = lay_out(ledger, reviewer="ada")
    assert (desk.item.clip_id, desk.waiting, desk.accepted, desk.rejected, desk.flagged) == ("clip3", 1, 2, 1, 4)


def test_the_desk_names_the_clip_that_comes_next(ledger):
    add_clip(ledger, "one", 0.5)
    add_clip(ledger, "two", 0.6)
    assert lay_out(ledger, reviewer="ada").after == "two"
    assert lay_out(ledger, reviewer="ada", clip_id="two").after == "one"


def test_going_back_walks_over_all_own_answers_newest_first(ledger):
    for clip_id in ("one", "two", "three"):
        add_clip(ledger, clip_id)
    record(ledger, ["two"], Verdict.ACCEPT, reviewer="ada")
    record(ledger, ["one"], Verdict.ACCEPT, reviewer="ada")
    record(ledger, ["three"], Verdict.ACCEPT, reviewer="ben")
    last = lay_out(ledger, reviewer="ada").before
    assert last == "one"
    first = lay_out(ledger, reviewer="ada", clip_id=last).before
    assert first == "two"
    assert lay_out(ledger, reviewer="ada", clip_id=first).before is None


def test_a_clip_shown_again_carries_its_answer(ledger):
    add_clip(ledger, "one")
    record(ledger, ["one"], Verdict.REJECT, reviewer="ada", reason=RejectReason.OFF_SCREEN_SOUND)
    answer = lay_out(ledger, reviewer="ben", clip_id="one").answer
    assert (answer.verdict, answer.reason, answer.reviewer) == (
        Verdict.REJECT,
        RejectReason.OFF_SCREEN_SOUND,
        "ada",
    )


def test_the_desk_refuses_a_clip_that_nobody_flagged(ledger):
    add_clip(ledger, "accepted", band=Band.ACCEPT)
    with pytest.raises(UnknownClip, match="no flagged clip accepted"):
        lay_out(ledger, reviewer="ada", clip_id="accepted")


@pytest.mark.parametrize(
    ("offset_s", "words"),
    [
        (-0.12, "sound is 120 ms early"),
        (0.06, "sound is 60 ms late"),
        (0.001, "sound is on time"),
        (float("nan"), "not measured"),
    ],
)
def test_an_offset_is_said_in_words(offset_s, words):
    assert lag(offset_s) == words


def test_scores_are_listed_synchrony_first_and_unknown_ones_keep_their_name():
    lines = measures({"new_score": 0.1234, "peak_amplitude": 0.83, "sync": 0.62, "silence_ratio": None})
    assert [(one.name, one.value) for one in lines] == [
        ("Synchrony, shifted to fit", "0.62"),
        ("Loudest peak", "83 %"),
        ("Silent", "not measured"),
        ("New score", "0.123"),
    ]


def test_every_outcome_and_every_reason_has_words():
    assert all(why(outcome).endswith(".") for outcome in Outcome)
    assert list(REASONS) == list(RejectReason)


def test_a_span_is_read_as_minutes_and_seconds():
    assert span(3_200_000, 64_000_000) == "0:03.2 to 1:04.0"


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "/etc/passwd", "http://[", "https:"])
def test_only_web_addresses_become_links(link):
    assert web_link(link) == ""
