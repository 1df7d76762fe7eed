"""Calibration: weights that point the right way, edges that keep what they promise on clips it has not seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import norm
from sqlalchemy import select, update

from curation.decide.calibrate import calibrate, edges, facts, wilson
from curation.decide.fitting import Example
from curation.decide.odds import probability
from curation.decide.policy import Band, Policy, Wanted, decide
from curation.decide.quota import clips_by_band, fill_classes
from curation.decide.verdicts import calibrate_policy, drift, examples, in_force, keep, lapsed
from curation.ledger.tables import ClipRow, SourceEntry, Video
from curation.outcomes import Outcome
from curation.review.answers import answer, record
from curation.review.queue import enrol
from curation.scores.sync import SyncScore
from curation.scores.trends import versions
from curation.settings.review import ReviewSettings
from curation.verdicts.answers import Answer, Edits, RejectReason, Verdict
from shards.errors import BadInput

TRENDS = {"sync": 1, "noise": 1, "speech": -1}
START = Policy(weights={}, centres={}, intercept=0.0, accept_at=1.0, review_at=0.0)


def drawn(count, *, seed, share=0.4, spread=1.0):
    """Clips whose answers follow a logistic in `sync` and `speech`, with `noise` beside the point."""
    random = np.random.default_rng(seed)
    columns = random.normal(size=(count, 3))
    log_odds = 2.5 * columns[:, 0] / spread - 1.0 * columns[:, 2] + np.log(share / (1 - share))
    good = random.random(count) < 1 / (1 + np.exp(-log_odds))
    return [
        Example({"sync": one[0], "noise": one[1], "speech": one[2]}, bool(yes), f"video {at // 2}")
        for at, (one, yes) in enumerate(zip(columns, good, strict=True))
    ]


def test_predictions_hold_on_fresh_clips():
    fitted = calibrate(drawn(2000, seed=1), START, trends=TRENDS, target_precision=0.9)
    fresh = drawn(4000, seed=2)
    predicted = np.array([probability(one.columns, fitted.odds) for one in fresh])
    good = np.array([one.good for one in fresh])
    accepted = predicted >= fitted.odds.accept_at
    assert abs(good[accepted].mean() - 0.9) < 0.03
    assert abs(good[accepted].mean() - fitted.precision.value) < 0.03
    assert accepted.mean() > 0.15
    assert fitted.calibration_error < 0.03


def test_weights_never_point_the_wrong_way():
    backwards = [
        Example({name: -value for name, value in one.columns.items()}, one.good, one.group)
        for one in drawn(400, seed=3)
    ]
    fitted = calibrate(backwards, START, trends=TRENDS).odds.weights
    assert fitted["sync"] == 0 and fitted["noise"] >= 0 and fitted["speech"] == 0


def test_few_verdicts_move_the_policy_a_little_and_many_decide():
    before = Policy(weights={"sync": 8.0}, centres={"sync": 0.0}, intercept=0.0)
    few, many = (
        calibrate(drawn(count, seed=4), before, trends={"sync": 1}).odds.weights["sync"] for count in (30, 3000)
    )
    assert abs(many - 2.5) < 0.6 < abs(few - 2.5)


def test_accepts_nothing_where_no_edge_keeps_the_target():
    random = np.random.default_rng(5)
    blind = [Example({"sync": random.normal()}, bool(random.random() < 0.3), str(at)) for at in range(300)]
    fitted = calibrate(blind, START, trends=TRENDS, target_precision=0.95)
    assert fitted.accepted_share < 0.1 and fitted.precision.low <= 0.95


@pytest.mark.parametrize("good", [0, 3, 30])
def test_refuses_too_few_answers(good):
    some = [Example({"sync": float(at)}, at < good, str(at)) for at in range(30 if good else 10)]
    with pytest.raises(BadInput, match="too few"):
        calibrate(some, START, trends=TRENDS)


def test_a_column_that_most_clips_lack_is_left_out():
    some = drawn(60, seed=6)
    few = [Example(one.columns | ({"late": 1.0} if at < 5 else {}), one.good, one.group) for at, one in enumerate(some)]
    assert "late" not in calibrate(few, START, trends=TRENDS | {"late": 1}).odds.weights


def reviewer(count, *, seed, noise):
    """Clips in step to any degree, and a person who errs by `noise` about where the line is."""
    random = np.random.default_rng(seed)
    in_step = random.uniform(size=count)
    good = in_step + random.normal(0, noise, count) > 0.5
    return [
        Example({"p_in_sync": one}, bool(yes), str(at)) for at, (one, yes) in enumerate(zip(in_step, good, strict=True))
    ]


def true_precision(odds, noise):
    """What such a person would say of all clips above the edge."""
    in_step = np.linspace(0, 1, 1001)
    accepted = np.array([probability({"p_in_sync": one}, odds) for one in in_step]) >= odds.accept_at
    return norm.cdf((in_step[accepted] - 0.5) / noise).mean()


@pytest.mark.parametrize(
    ("noise", "count", "target"), [(0.1, 60, 0.95), (0.1, 200, 0.95), (0.2, 200, 0.95), (0.3, 200, 0.85)]
)
def test_the_precision_told_is_the_one_that_fresh_clips_have(noise, count, target):
    told, true = [], []
    for seed in range(12):
        fit = calibrate(
            reviewer(count, seed=seed, noise=noise), Policy(), trends={"p_in_sync": 1}, target_precision=target
        )
        if fit.odds.accept_at < 1:
            told.append(fit.precision.value)
            true.append(true_precision(fit.odds, noise))
    assert len(told) >= 5
    assert abs(np.mean(told) - np.mean(true)) < 0.03
    assert np.mean(true) > target - 0.03


@pytest.mark.parametrize("noise", [0.3, 0.6])
@pytest.mark.parametrize("count", [60, 200])
def test_luck_with_a_few_clips_sets_no_edge(noise, count):
    fits = [calibrate(reviewer(count, seed=seed, noise=noise), Policy(), trends={"p_in_sync": 1}) for seed in range(12)]
    refused = [fit for fit in fits if fit.odds.accept_at == 1]
    assert len(refused) >= 10
    assert all(fit.accepted_share == 0 and fit.recall.value == 0 and fit.review_share > 0 for fit in refused)


def test_says_how_many_more_verdicts_an_edge_takes_and_that_many_do():
    few = calibrate(reviewer(40, seed=1, noise=0.05), Policy(), trends={"p_in_sync": 1})
    assert few.odds.accept_at == 1 and 1 <= few.more_verdicts <= 60
    enough = calibrate(reviewer(40 + 2 * few.more_verdicts, seed=2, noise=0.05), Policy(), trends={"p_in_sync": 1})
    assert enough.odds.accept_at < 1 and enough.more_verdicts == 0


def test_gives_no_number_where_more_of_the_same_would_not_do():
    upside_down = [Example({"sync": at / 40}, at < 20, str(at)) for at in range(40)]
    assert calibrate(upside_down, START, trends={"sync": 1}, target_precision=0.95).more_verdicts is None


@given(
    arrays.arrays(float, 40, elements=st.floats(0, 1)),
    arrays.arrays(bool, 40),
    st.floats(0.5, 1),
    st.floats(0, 1),
)
def test_edges_meet_the_target_and_the_budget(predicted, good, target, budget):
    accept_at, review_at = edges(predicted, good, np.ones(40), target_precision=target, review_share=budget)
    accepted, asked = predicted >= accept_at, (predicted >= review_at) & (predicted < accept_at)
    assert review_at <= accept_at
    assert not accepted.any() or accept_at == 1 or good[accepted].mean() >= target
    assert asked.mean() <= budget + 1e-9


@given(st.integers(0, 50), st.integers(0, 50))
def test_an_interval_holds_its_estimate(right, wrong):
    found = wilson(right, right + wrong)
    assert 0 <= found.low <= found.high <= 1
    assert right + wrong == 0 or found.low - 1e-9 <= found.value <= found.high + 1e-9


def reviewed(ledger, answers, *, column="p_in_sync", others=None):
    """One clip a video, with a score, and an answer for each."""
    with ledger.session() as session:
        for at, _ in enumerate(answers):
            session.add(Video(id=f"v{at}", link=f"https://example.org/{at}", local=False))
            session.flush()
            session.add(SourceEntry(
                id=f"row{at}", table_name="t", row=at, video_id=f"v{at}", caption="", label="drum", licence="",
                outcome="ok", detail="",
            ))  # fmt: skip
        session.flush()
        for at, (score, _, audit) in enumerate(answers):
            session.add(ClipRow(
                id=f"clip{at:04}", video_id=f"v{at}", source_id=f"row{at}", start_us=0, end_us=1,
                band="accept" if audit else "review", reasons=[], p_good=0.5, policy="",
                scores={column: score} | (others or {}),
                audit=audit, current=True, cut=None, duplicate_of=None,
            ))  # fmt: skip
    for at, (_, verdict, _) in enumerate(answers):
        reason = None if verdict is Verdict.ACCEPT else RejectReason.NOT_SYNCHRONISED
        record(ledger, [f"clip{at:04}"], verdict, reviewer="r", reason=reason)


def test_verdicts_become_examples_and_a_calibration_comes_into_force(any_ledger):
    yes, no = Verdict.ACCEPT, Verdict.REJECT
    reviewed(any_ledger, [(0.9, yes, False), (0.8, yes, True), (0.1, no, False), (0.2, no, False)] * 10)
    record(any_ledger, ["clip0003"], no, reviewer="r", reason=RejectReason.PERSONAL)
    found = examples(any_ledger, audit_share=0.1, wanted=Policy())
    assert len(found) == 39 and {one.weight for one in found} == {1.0, 10.0}
    assert in_force(any_ledger, Policy()) == Policy()
    assert drift(any_ledger, Policy(), audit_share=0.1) is None
    keep(any_ledger, calibrate(found, Policy(), trends={"p_in_sync": 1}))
    now = in_force(any_ledger, Policy(min_peak=0.5))
    assert now.weights["p_in_sync"] > 0 and now.min_peak == 0.5 and now.digest() != Policy().digest()
    assert in_force(any_ledger, Policy(calibrated=False)) == Policy(calibrated=False)


def test_a_calibration_on_another_version_of_a_score_is_not_in_force(any_ledger, monkeypatch):
    reviewed(any_ledger, [(0.9, Verdict.ACCEPT, False), (0.1, Verdict.REJECT, False)] * 20)
    fits = fit_all(any_ledger, Policy())
    keep(any_ledger, fits.general, fits.meaning)
    assert lapsed(any_ledger, Policy()) == [] and in_force(any_ledger, Policy()) != Policy()
    monkeypatch.setattr(SyncScore, "version", SyncScore.version + 1)
    versions.cache_clear()
    try:
        assert lapsed(any_ledger, Policy()) == ["sync"] and in_force(any_ledger, Policy()) == Policy()
        fits = fit_all(any_ledger, Policy())
        keep(any_ledger, fits.general, fits.meaning)
        assert lapsed(any_ledger, Policy()) == [] and in_force(any_ledger, Policy()) != Policy()
    finally:
        versions.cache_clear()


def test_a_calibration_without_an_accept_edge_is_kept_on_any_database(any_ledger):
    yes, no = Verdict.ACCEPT, Verdict.REJECT
    reviewed(any_ledger, [(0.9, yes, False), (0.8, no, False), (0.1, no, False), (0.2, yes, False)] * 10)
    fit = calibrate(examples(any_ledger, audit_share=0.1, wanted=Policy()), Policy(), trends={"p_in_sync": 1})
    keep(any_ledger, fit)
    assert in_force(any_ledger, Policy()).accept_at == fit.odds.accept_at == 1
    judge_again(any_ledger, [(yes, None), (no, RejectReason.MEANING)], count=40)
    since = drift(any_ledger, Policy(), audit_share=0.1)
    assert (since.verdicts, since.accepted, since.expected) == (40, 0, None) and not since.alarming


RAIN = Policy(wanted_of={"drum": Wanted.MEANING})


def fit_all(ledger, policy):
    return calibrate_policy(ledger, policy, audit_share=0.1, target_precision=0.95, review_share=0.2)


def test_clips_wanted_by_meaning_are_fitted_apart_from_all_others(any_ledger):
    yes, no = Verdict.ACCEPT, Verdict.REJECT
    answers = [(at / 160, yes if at >= 80 else no, False) for at in range(160)]
    reviewed(any_ledger, answers, column="image_text_min", others={"p_in_sync": 0.01})
    fits = fit_all(any_ledger, RAIN)
    assert fits.general is None and set(fits.meaning.odds.weights) == {"image_text_min"}
    keep(any_ledger, fits.general, fits.meaning)
    now = in_force(any_ledger, RAIN)
    assert now.weights == RAIN.weights and now.accept_at == RAIN.accept_at, "what has no verdicts stays"
    clip = {"motion_mean": 0.05, "peak_amplitude": 0.5, "p_in_sync": 0.0, "offset_s": 0.6}
    bands = [decide(clip | {"image_text_min": told}, now, label="drum").band for told in (0.95, 0.05)]
    assert bands == [Band.ACCEPT, Band.REJECT]
    assert decide(clip, now, label="drum").reasons == (Outcome.WEAK_MEANING,)
    judge_again(any_ledger, [(no, RejectReason.MEANING), (yes, None)], count=160)
    assert drift(any_ledger, RAIN, audit_share=0.1).alarming


def test_too_few_verdicts_on_one_kind_of_clips_do_not_hinder_the_other(any_ledger):
    yes, no = Verdict.ACCEPT, Verdict.REJECT
    reviewed(any_ledger, [(0.9, yes, False), (0.1, no, False)] * 20)
    with any_ledger.session() as session:
        session.execute(update(SourceEntry).where(SourceEntry.id.in_(["row0", "row1"])).values(label="rain"))
        session.execute(update(ClipRow).where(ClipRow.id == "clip0000").values(scores={"image_text_min": 0.3}))
    fits = fit_all(any_ledger, Policy(wanted_of={"rain": Wanted.MEANING}))
    assert fits.general.examples == 38 and fits.meaning is None
    assert fits.lacking.startswith("1 verdicts"), "of the other one no meaning was measured"


@pytest.mark.parametrize("videos", [1, 2])
def test_clips_of_too_few_videos_are_no_evidence_for_others(videos):
    """Neither a crash nor a calibration: with one video, or all good clips from one, nothing is left to judge by."""
    some = [Example({"sync": at / 40}, at >= 20, str(at * videos // 40)) for at in range(40)]
    with pytest.raises(BadInput, match="of one video") as refused:
        calibrate(some, START, trends={"sync": 1})
    assert "more videos" in refused.value.remedy


def test_folds_that_can_tell_nothing_are_left_out_of_the_vote():
    """All good clips from two videos: the folds that lack one or both of these still have no say of their own."""
    some = [Example({"sync": at / 60}, at >= 40, "ab"[at % 2] if at >= 40 else str(at)) for at in range(60)]
    fit = calibrate(some, START, trends={"sync": 1})
    assert fit.examples <= 60 and 0 <= fit.odds.review_at <= fit.odds.accept_at <= 1


def test_no_clip_is_accepted_that_is_likelier_bad_than_good():
    """Sure clips by the thousand would make up for many bad ones, and each of those would be in the data."""
    fit = calibrate(reviewer(2000, seed=3, noise=0.05), Policy(), trends={"p_in_sync": 1}, target_precision=0.95)
    assert 0.5 <= fit.odds.accept_at < 1
    predicted, good = np.array([0.9] * 40 + [0.8] * 40), np.ones(80, bool)
    accept_at, _ = edges(predicted, good, np.ones(80), target_precision=0.95, review_share=0.2)
    assert accept_at == 0.8, "below the last clip that was seen nothing is known"


def test_calibrating_twice_is_calibrating_once(any_ledger):
    random = np.random.default_rng(2)
    answers = [
        (float(random.uniform()), Verdict.ACCEPT if random.random() < 0.5 else Verdict.REJECT, False) for _ in range(60)
    ]
    reviewed(any_ledger, answers)
    first = fit_all(any_ledger, Policy())
    keep(any_ledger, first.general, first.meaning)
    second = fit_all(any_ledger, Policy())
    assert second.general.odds == first.general.odds, "what was fitted on these verdicts does not judge them"
    assert facts(second.general) == facts(first.general)


def test_a_clip_whose_sound_was_moved_was_not_good_and_one_that_was_trimmed_is_left_out(any_ledger):
    reviewed(any_ledger, [(0.1, Verdict.ACCEPT, False)] * 4)
    for clip, edits in (
        ("clip0000", Edits(sound_late_us=200_000)),
        ("clip0001", Edits(parts=((0, 1),))),
        ("clip0002", Edits(sound_late_us=20_000)),
    ):
        answer(any_ledger, Answer(clip, Verdict.ACCEPT, "r", final=True, edits=edits))
    found = {one.group: one.good for one in examples(any_ledger, audit_share=0.1, wanted=Policy())}
    assert found == {"v0": False, "v2": True, "v3": True}


def test_a_verdict_stands_for_as_many_clips_as_when_it_was_asked_for(any_ledger):
    """A flagged clip that a later policy accepts stands for itself; an audited one that it turns away still for ten."""
    reviewed(any_ledger, [(0.9, Verdict.ACCEPT, False), (0.8, Verdict.ACCEPT, True)])
    with any_ledger.session() as session:
        flagged, audited = (session.get_one(ClipRow, f"clip000{at}") for at in range(2))
        flagged.band, flagged.audit, audited.band, audited.audit = Band.ACCEPT, True, Band.REJECT, False
    enrol(any_ledger, ReviewSettings())
    found = {one.group: one.weight for one in examples(any_ledger, audit_share=0.1, wanted=Policy())}
    assert found == {"v0": 1.0, "v1": 10.0}


def test_drift_is_told_when_people_stop_agreeing(any_ledger):
    yes, no = Verdict.ACCEPT, Verdict.REJECT
    reviewed(any_ledger, [(0.9, yes, False), (0.1, no, False)] * 30)
    keep(
        any_ledger, calibrate(examples(any_ledger, audit_share=0.1, wanted=Policy()), Policy(), trends={"p_in_sync": 1})
    )
    assert drift(any_ledger, Policy(), audit_share=0.1) is None, "no verdict came since"
    judge_again(any_ledger, [(yes, None), (no, RejectReason.MEANING)])
    steady = drift(any_ledger, Policy(), audit_share=0.1)
    assert steady.verdicts == 60 and not steady.alarming
    judge_again(any_ledger, [(no, RejectReason.MEANING), (yes, None)])
    assert drift(any_ledger, Policy(), audit_share=0.1).alarming


def judge_again(ledger, by_turns, count=60):
    for at in range(count):
        verdict, reason = by_turns[at % 2]
        record(ledger, [f"clip{at:04}"], verdict, reviewer="r", reason=reason)


def test_what_people_rejected_takes_no_place_in_its_class(any_ledger):
    reviewed(any_ledger, [(0.9, Verdict.REJECT, True), (0.8, Verdict.ACCEPT, True), (0.7, Verdict.ACCEPT, True)])
    with any_ledger.session() as session:
        for at, row in enumerate(session.scalars(select(ClipRow).order_by(ClipRow.id))):
            row.p_good = 0.9 - at / 10
    assert fill_classes(any_ledger, most=2) == 0
    assert fill_classes(any_ledger, most=1) == 1
    assert clips_by_band(any_ledger) == {Band.ACCEPT: 2, Band.REVIEW: 0}, "the rejected one, and the best of the others"


def test_a_class_is_filled_with_its_best(any_ledger):
    reviewed(any_ledger, [(0.5, Verdict.ACCEPT, True)] * 6)
    with any_ledger.session() as session:
        for at in range(6):
            session.get_one(ClipRow, f"clip{at:04}").p_good = at / 10
        session.get_one(ClipRow, "clip0005").duplicate_of = "clip0004"
    assert fill_classes(any_ledger, most=0) == 0
    assert fill_classes(any_ledger, most=2) == 3
    with any_ledger.session() as session:
        kept = session.scalars(select(ClipRow.id).where(ClipRow.band == "accept", ClipRow.duplicate_of.is_(None)))
        assert sorted(kept) == ["clip0003", "clip0004"]
        assert session.get_one(ClipRow, "clip0000").reasons == ["class_full"]
