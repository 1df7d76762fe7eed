"""What people judged outlives every later decision: nothing is lost, nothing is asked twice, `auto` does not notice."""

import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from bench.ledger import fill
from curation.accounting.funnel import UNTRIED, funnel
from curation.decide.apply import Merging, decide_all
from curation.decide.calibrate import wilson
from curation.decide.merging import Judged, clips_of
from curation.decide.policy import Band, Decision, Policy
from curation.ledger.tables import ClipRow, DecisionRow, JudgedRow, ReviewRow, SourceEntry, Video, WindowRow
from curation.outcomes import Outcome
from curation.review.answers import record, undo
from curation.review.progress import progress
from curation.review.queue import enrol, flagged
from curation.settings.review import ReviewSettings
from curation.steps.publish import Selection, clips_to_publish
from curation.verdicts.answers import RejectReason, Verdict

SETTINGS = ReviewSettings(double_share=0, audit_mix=0, golden_mix=0)
BEFORE, AFTER = Policy(accept_at=0.8, review_at=0.3), Policy(accept_at=0.6, review_at=0.1)
SHARE = 0.3


def decide(ledger, policy):
    decide_all(ledger, policy, Merging(max_clip_us=10_000_000, audit_share=SHARE))
    enrol(ledger, SETTINGS)


def waiting(ledger):
    return {item.clip_id for item in flagged(ledger)}


def judge(ledger, *, share=0.5):
    """Answer some of the queue by lot; returns the accepted and the rejected clips."""
    lot = random.Random(1)
    chosen = [clip for clip in sorted(waiting(ledger)) if lot.random() < share]
    yes, no = chosen[::2], chosen[1::2]
    record(ledger, yes, Verdict.ACCEPT, reviewer="ada")
    record(ledger, no, Verdict.REJECT, reviewer="ada", reason=RejectReason.MEANING)
    return set(yes), set(no)


def spans(ledger, clips):
    with ledger.session() as session:
        rows = session.execute(select(ClipRow.id, ClipRow.video_id, ClipRow.start_us, ClipRow.end_us))
        return {clip: (video, start, end) for clip, video, start, end in rows if clip in clips}


def overlapping(one, other):
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]


@pytest.fixture
def ledger(any_ledger):
    fill(any_ledger, 1500)
    return any_ledger


def test_every_accepted_clip_is_published_whatever_the_policy_says_later(ledger):
    decide(ledger, BEFORE)
    yes, no = judge(ledger)
    assert len(yes) > 5 and len(no) > 5
    for policy in (AFTER, Policy(accept_at=0.99, review_at=0.9), Policy(accept_all=True), BEFORE):
        decide(ledger, policy)
        assert set(clips_to_publish(ledger, Selection.CURATED)) == yes
        found = progress(ledger, SETTINGS)
        assert (found.accepted, found.rejected) == (len(yes), len(no))
        stages = {stage.name: stage for stage in funnel(ledger)}
        assert all(stage.adds_up for stage in stages.values())
        assert stages["clips people accepted cut"].outcomes == {UNTRIED: len(yes)}
        assert stages["clips reviewed"].outcomes["accepted"] == len(yes)


def test_nothing_of_what_was_judged_is_asked_about_again(ledger):
    decide(ledger, BEFORE)
    judged = spans(ledger, set.union(*judge(ledger)))
    decide(ledger, AFTER)
    asked = spans(ledger, waiting(ledger))
    assert asked and not [pair for pair in product(asked.values(), judged.values()) if overlapping(*pair)]


def test_an_answer_changes_no_other_clip_of_the_queue(ledger):
    decide(ledger, BEFORE)
    judge(ledger)
    decide(ledger, AFTER)
    before = waiting(ledger)
    yes, no = judge(ledger, share=0.3)
    decide(ledger, AFTER)
    assert yes and waiting(ledger) == before - yes - no


def test_the_automatic_set_does_not_notice_that_somebody_looked(ledger):
    decide(ledger, BEFORE)
    decide(ledger, AFTER)
    unseen = list(clips_to_publish(ledger, Selection.AUTO))
    decide(ledger, BEFORE)
    judge(ledger)
    decide(ledger, AFTER)
    assert list(clips_to_publish(ledger, Selection.AUTO)) == unseen


def test_an_answer_that_was_taken_back_is_asked_about_again(ledger):
    decide(ledger, BEFORE)
    before = waiting(ledger)
    record(ledger, sorted(before)[:1], Verdict.ACCEPT, reviewer="ada")
    undo(ledger, "ada")
    decide(ledger, AFTER)
    decide(ledger, BEFORE)
    assert waiting(ledger) == before


def test_audits_of_an_older_policy_prove_nothing_about_this_one(ledger):
    decide(ledger, BEFORE)
    with ledger.session() as session:
        audits = set(session.scalars(select(ReviewRow.clip_id).where(ReviewRow.audit)))
    record(ledger, sorted(audits), Verdict.ACCEPT, reviewer="ada")
    assert len(audits) > 5 and progress(ledger, SETTINGS).precision == wilson(len(audits), len(audits))
    decide(ledger, Policy(accept_at=0.85, review_at=0.0))
    with ledger.session() as session:
        now = select(func.count(ClipRow.id)).where(ClipRow.current, ClipRow.band == Band.ACCEPT)
        still = session.scalar(now.where(ClipRow.id.in_(audits)))
    assert 0 < still < len(audits)
    assert progress(ledger, SETTINGS).precision == wilson(still, still)
    assert progress(ledger, SETTINGS).accepted == len(audits), "they are published none the less"


def test_windows_of_rows_that_are_no_longer_wanted_are_not_decided(ledger):
    decide(ledger, BEFORE)
    with ledger.session() as session:
        gone, narrowed = session.scalars(select(SourceEntry).order_by(SourceEntry.id).limit(2))
        gone.outcome, narrowed.outcome = Outcome.EXCLUDED, Outcome.LICENCE_NOT_ALLOWED
        # Another row of the second video, with another licence, holds a part of it.
        session.add(
            SourceEntry(
                id="part", table_name="t", row=1, video_id=narrowed.video_id, start_us=2_000_000, end_us=9_000_000,
                caption="", label="part", licence="CC0", outcome="ok", detail="", proposal="ok",
            )
        )  # fmt: skip
        videos = gone.video_id, narrowed.video_id
    decide(ledger, Policy(accept_all=True))
    with ledger.session() as session:
        rows = session.execute(
            select(WindowRow.video_id, WindowRow.start_us)
            .join(DecisionRow, DecisionRow.window_id == WindowRow.id)
            .where(WindowRow.video_id.in_(videos))
        )
        assert sorted(rows.tuples()) == [(videos[1], at) for at in range(2_000_000, 6_500_000, 500_000)]
        clips = session.scalars(select(ClipRow).where(ClipRow.current, ClipRow.video_id.in_(videos))).all()
        assert {clip.source_id for clip in clips} == {"part"}
    stages = {stage.name: stage for stage in funnel(ledger)}
    assert stages["windows decided"].adds_up
    assert stages["windows decided"].outcomes["excluded"] == 50
    assert stages["windows decided"].outcomes["licence_not_allowed"] == 41


@pytest.mark.parametrize("outcome", [Outcome.EXCLUDED, Outcome.HOST_NOT_ALLOWED])
def test_rows_that_are_no_longer_wanted_are_published_in_neither_set(ledger, outcome):
    decide(ledger, BEFORE)
    yes, _ = judge(ledger)
    auto = list(clips_to_publish(ledger, Selection.AUTO))
    videos = spans(ledger, yes)
    lost = {clip for clip in yes if videos[clip][0] == videos[min(yes)][0]}
    with ledger.session() as session:
        of_video = SourceEntry.video_id == videos[min(yes)][0]
        session.execute(update(SourceEntry).where(of_video).values(outcome=outcome))
    assert set(clips_to_publish(ledger, Selection.CURATED)) == yes - lost
    assert set(clips_to_publish(ledger, Selection.AUTO)) <= set(auto)
    assert progress(ledger, SETTINGS).accepted == len(yes - lost)
    [stage] = [stage for stage in funnel(ledger) if stage.name == "clips people accepted cut"]
    assert stage.adds_up and stage.outcomes[outcome] == len(lost)


def test_a_class_lacks_what_is_not_published(ledger):
    decide(ledger, BEFORE)
    yes, _ = judge(ledger)
    wanted = SETTINGS.model_copy(update={"per_class": len(yes)})
    assert progress(ledger, wanted).classes[0].met
    with ledger.session() as session:
        session.execute(update(Video).values(fetch=Outcome.TAKEN_DOWN))
    found = progress(ledger, wanted)
    assert found.accepted == 0 and not found.classes[0].met


def test_how_a_judged_clip_was_heard_is_kept_once(ledger):
    decide(ledger, BEFORE)
    yes, no = judge(ledger)
    chosen = min(yes)
    with ledger.session() as session:
        session.get_one(ClipRow, chosen).sound_late_us = 120_000
    for policy in (AFTER, BEFORE):
        decide(ledger, policy)
    with ledger.session() as session:
        kept = dict(session.execute(select(ReviewRow.clip_id, JudgedRow.sound_late_us).join(
            JudgedRow, JudgedRow.verdict_id == ReviewRow.verdict_id
        )).tuples().all())  # fmt: skip
        assert session.get_one(ClipRow, chosen).sound_late_us == 0
    assert kept == dict.fromkeys(yes | no, 0) | {chosen: 120_000}


def windows_of(bands):
    """A video's windows, every half second, of the bands."""
    for at, band in enumerate(bands):
        start = at * 500_000
        yield Judged("w", "v", "s", 0, start, start + 3_000_000, {}, Decision(band, (), at / len(bands)))


SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 20)), max_size=6)


@given(bands=st.lists(st.sampled_from(Band), min_size=1, max_size=60), answered=SPANS)
def test_answered_time_is_left_alone_and_the_rest_stays_as_it_was(bands, answered):
    told = {str(at): (start * 500_000, (start + length) * 500_000) for at, (start, length) in enumerate(answered)}
    options = {"max_clip_us": 10_000_000, "audit_share": 1.0}
    plain = clips_of(list(windows_of(bands)), Policy(), **options)
    found = clips_of(list(windows_of(bands)), Policy(), answered=told, **options)
    free = [
        one for one in plain if not any(one["start_us"] < end and start < one["end_us"] for start, end in told.values())
    ]
    assert [one for one in found if one in free] == free
    for one in found:
        touched = any(one["start_us"] < end and start < one["end_us"] for start, end in told.values())
        assert not touched or (one["band"] == Band.ACCEPT and not one["audit"])
    accepted = [[one["id"] for one in each if one["band"] == Band.ACCEPT] for each in (plain, found)]
    assert accepted[0] == accepted[1]
