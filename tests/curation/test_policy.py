"""The policy: gates first, then P(good), then bands; every rejection names its reason."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.decide.odds import Odds, probability
from curation.decide.policy import PRIOR, Band, Policy, Wanted, decide
from curation.outcomes import REMEDIES, Outcome, remedy_of
from curation.settings.recipe import load_recipe
from flows.presets import preset_path

GOOD = {
    "motion_mean": 0.05,
    "local_motion": 0.05,
    "camera_motion": 0.02,
    "peak_amplitude": 0.5,
    "p_in_sync": 0.95,
    "offset_s": 0.01,
    "offset_confidence": 0.95,
    "p_no_cues": 0.02,
    "sync_at_zero": 4.0,
    "sync_peak": 4.0,
    "window_sync": 2.0,
}


def test_accepts_a_window_whose_sound_and_motion_agree():
    decision = decide(GOOD, Policy())
    assert (decision.band, decision.reasons) == (Band.ACCEPT, ())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"peak_amplitude": 0.01}, Outcome.SILENT),
        ({"missing_sound_s": 0.6}, Outcome.SOUND_MISSING),
        ({"frozen_s": 0.6}, Outcome.PICTURE_MISSING),
        ({"smeared_s": 0.6}, Outcome.PICTURE_MISSING),
        ({"local_motion": 0.001}, Outcome.STATIC_PICTURE),
        ({"camera_motion": 1.5}, Outcome.TOO_MUCH_MOTION),
        ({"offset_s": 0.5}, Outcome.OFFSET),
        ({"offset_s": -0.5}, Outcome.OFFSET),
    ],
)
def test_rejects_with_the_reason_that_is_so(changes, reason):
    decision = decide(GOOD | changes, Policy())
    assert (decision.band, decision.reasons[0]) == (Band.REJECT, reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"p_in_sync": 0.1, "offset_s": 0.5, "offset_confidence": 0.3}, Outcome.WEAK_SYNC),
        ({"p_in_sync": 0.1, "offset_s": 0.5, "offset_confidence": 0.1, "p_no_cues": 0.6}, Outcome.NO_CUES),
        ({"p_in_sync": 0.0, "offset_confidence": 0.0, "p_no_cues": 1.0}, Outcome.NO_CUES),
    ],
)
def test_what_is_not_sure_goes_to_a_person_and_not_away(changes, reason):
    decision = decide(GOOD | changes, Policy())
    assert (decision.band, decision.reasons) == (Band.REVIEW, (reason,))


def test_is_called_unsynchronised_below_the_edge_of_review_alone():
    wrong = GOOD | {"p_in_sync": 0.01, "offset_confidence": 0.3, "p_no_cues": 0.1}
    assert decide(wrong, Policy(review_at=0.2)).reasons == (Outcome.UNSYNCHRONISED,)
    assert decide(wrong, Policy(review_at=0.0)).reasons == (Outcome.WEAK_SYNC,)


def test_the_predecessors_gates_look_at_the_whole_picture():
    recipe = load_recipe(preset_path("avsync")).policy
    assert decide(GOOD | {"motion_mean": 0.001}, recipe).reasons == (Outcome.STATIC_PICTURE,)
    assert decide(GOOD | {"motion_mean": 0.4}, recipe).reasons == (Outcome.TOO_MUCH_MOTION,)
    assert decide(GOOD | {"local_motion": 0.0, "camera_motion": 5.0}, recipe).band is Band.ACCEPT


def test_a_window_over_a_cut_is_rejected_whatever_its_scores():
    assert decide(GOOD, Policy(), crosses_cut=True).reasons == (Outcome.SHOT_CHANGE,)
    assert decide(GOOD, Policy(accept_all=True), crosses_cut=True).band is Band.REJECT


def test_the_uncurated_baseline_takes_silence_too():
    assert decide(GOOD | {"peak_amplitude": 0.0}, Policy(accept_all=True)).band is Band.ACCEPT


def test_asks_a_person_between_the_band_edges():
    policy = Policy(accept_at=0.99999, review_at=0.2)
    assert decide(GOOD, policy).reasons == (Outcome.WEAK_SYNC,)
    assert decide(GOOD, policy).band is Band.REVIEW


def test_asks_a_person_when_the_words_do_not_fit():
    policy = Policy(min_image_text=0.2)
    assert decide(GOOD | {"image_text_min": 0.1}, policy).reasons == (Outcome.MISMATCH,)
    assert decide(GOOD | {"image_text_min": math.nan}, policy).band is Band.ACCEPT


def test_what_a_clip_must_show_depends_on_its_class():
    policy = Policy(
        weights={"p_in_sync": 8.0, "image_text_min": 40.0}, centres={"p_in_sync": 0.5, "image_text_min": 0.2},
        intercept=0.0, accept_at=0.9, review_at=0.2, wanted_of={"rain": Wanted.MEANING, "drum": Wanted.SYNCHRONY},
        meaning=Odds(weights={"image_text_min": 40.0}, centres={"image_text_min": 0.2}, accept_at=0.9, review_at=0.2),
    )  # fmt: skip
    rain = GOOD | {"p_in_sync": 0.0, "offset_s": 0.6, "image_text_min": 0.25}
    assert decide(rain | {"image_text_min": 0.3}, policy, label="rain").band is Band.ACCEPT
    assert decide(rain, policy, label="street").band is Band.REJECT
    drum = GOOD | {"image_text_min": 0.0}
    assert decide(drum, policy, label="drum").band is Band.ACCEPT
    assert decide(drum, policy, label="street").reasons == (Outcome.UNSYNCHRONISED,)
    assert decide(rain | {"image_text_min": 0.2}, policy, label="rain").reasons == (Outcome.WEAK_MEANING,)


@pytest.mark.parametrize("measured", [{}, {"image_text_min": 0.3, "agreement": 0.9}, {"image_text_min": math.nan}])
@pytest.mark.parametrize("sound", [{}, {"p_in_sync": 0.0, "sync_at_zero": 0.0, "offset_s": 0.6}])
@pytest.mark.parametrize("rule", [{"wanted_of": {"rain": Wanted.MEANING}}, {"wanted": Wanted.MEANING}])
def test_before_calibration_people_decide_where_only_meaning_is_wanted(measured, sound, rule):
    decision = decide(GOOD | sound | measured, Policy(**rule), label="rain")
    assert (decision.band, decision.reasons, decision.p_good) == (Band.REVIEW, (Outcome.WEAK_MEANING,), 0.5)


def test_a_meaning_that_was_not_measured_is_neither_accepted_nor_rejected():
    knows = {"weights": {"image_text_min": 40.0}, "centres": {"image_text_min": 0.2}}
    for intercept in (-6.0, 6.0):
        odds = Odds(intercept=intercept, accept_at=0.9, review_at=0.2, **knows)
        policy = Policy(wanted=Wanted.MEANING, meaning=odds)
        assert decide(GOOD, policy).reasons == (Outcome.WEAK_MEANING,)
        assert decide(GOOD | {"image_text_min": math.nan}, policy).band is Band.REVIEW
        assert decide(GOOD | {"image_text_min": 0.2}, policy).band is (Band.ACCEPT if intercept > 0 else Band.REJECT)
        assert decide(GOOD | {"agreement": 1.0}, policy).band is Band.REVIEW, "nothing is known of that column"


def test_a_silent_or_static_clip_is_rejected_whatever_is_wanted():
    policy = Policy(wanted=Wanted.MEANING)
    assert decide(GOOD | {"peak_amplitude": 0.01}, policy).reasons == (Outcome.SILENT,)
    assert decide(GOOD | {"local_motion": 0.001}, policy).reasons == (Outcome.STATIC_PICTURE,)


def test_an_edge_of_one_accepts_nothing_and_still_tells_an_offset():
    sure = Policy(intercept=1000.0, accept_at=1.0)
    assert decide(GOOD, sure).band is Band.REVIEW
    strict = Policy(accept_at=1.0)
    assert decide(GOOD | {"offset_s": 0.5}, strict).reasons == (Outcome.OFFSET,)
    assert decide(GOOD | {"offset_s": 0.5, "offset_confidence": 0.3}, strict).reasons == (Outcome.WEAK_SYNC,)


def test_what_was_not_measured_counts_as_the_usual():
    policy = Policy(weights={"p_in_sync": 8.0}, centres={"p_in_sync": 0.3}, intercept=-1.0)
    assert probability({}, policy) == probability({"p_in_sync": 0.3}, policy) == 1 / (1 + math.e)


def test_the_prior_says_where_it_is_from():
    told = json.loads(PRIOR.read_text())
    assert told["origin"].startswith("clapboard bench prior") and told["report"]["right"] >= 40
    assert Policy().weights == told["policy"]["weights"] and Policy().accept_at == told["policy"]["accept_at"]


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_more_synchrony_never_means_a_lower_probability(of_window, one, other):
    low, high = sorted((one, other))
    p_low, p_high = (probability({"p_in_sync": value, "window_sync": of_window}, Policy()) for value in (low, high))
    assert 0 <= p_low <= p_high <= 1


@pytest.mark.parametrize(
    "settings",
    [
        {"review_at": 0.9, "accept_at": 0.5},
        {"meaning": {"review_at": 0.9, "accept_at": 0.5}},
        {"min_motion": 0.5, "max_motion": 0.1},
        {"no_such": 1},
    ],
)
def test_refuses_settings_that_contradict_themselves(settings):
    with pytest.raises(ValidationError):
        Policy(**settings)


def test_two_policies_have_two_names():
    assert Policy().digest() == Policy().digest() != Policy(min_peak=0.02).digest()


def test_every_outcome_has_a_remedy_line():
    assert set(REMEDIES) == set(Outcome)
    assert all(line and "\n" not in line for line in REMEDIES.values())
    assert remedy_of("reject: silent") == Outcome.SILENT.remedy
    assert remedy_of("accept") == remedy_of("ok") == ""
