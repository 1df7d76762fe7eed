"""The policy: gates first, then P(good), then bands; every rejection names its reason."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.decide.policy import Band, Policy, decide, probability
from curation.outcomes import REMEDIES, Outcome, remedy_of

GOOD = {
    "motion_mean": 0.05,
    "peak_amplitude": 0.5,
    "sync": 0.9,
    "sync_at_zero": 0.9,
    "offset_s": 0.01,
    "sync_confidence": 0.9,
}


def test_accepts_a_window_whose_sound_and_motion_agree():
    decision = decide(GOOD, Policy())
    assert (decision.band, decision.reasons) == (Band.ACCEPT, ())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"peak_amplitude": 0.01}, Outcome.SILENT),
        ({"motion_mean": 0.001}, Outcome.STATIC_PICTURE),
        ({"motion_mean": 0.4}, Outcome.TOO_MUCH_MOTION),
        ({"offset_s": 0.5}, Outcome.OFFSET),
        ({"offset_s": -0.5}, Outcome.OFFSET),
        ({"offset_s": 0.5, "sync": 0.4}, Outcome.UNSYNCHRONISED),
        ({"sync_at_zero": 0.0, "sync_confidence": 0.0}, Outcome.UNSYNCHRONISED),
    ],
)
def test_rejects_with_the_reason_that_is_so(changes, reason):
    decision = decide(GOOD | changes, Policy())
    assert (decision.band, decision.reasons[0]) == (Band.REJECT, reason)


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


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_more_synchrony_never_means_a_lower_probability(confidence, one, other):
    low, high = sorted((one, other))
    p_low, p_high = (
        probability({"sync_at_zero": value, "sync_confidence": confidence}, Policy()) for value in (low, high)
    )
    assert 0 <= p_low <= p_high <= 1


@pytest.mark.parametrize(
    "settings", [{"review_at": 0.9, "accept_at": 0.5}, {"min_motion": 0.5, "max_motion": 0.1}, {"no_such": 1}]
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
