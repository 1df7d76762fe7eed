"""What a reviewer reads."""

import pytest

from curation.outcomes import Outcome
from curation.review.progress import Enough
from curation.review.verdicts import RejectReason
from curation.review.words import ENOUGH, REASONS, lag, measures, share_between, span, timing, web_link, why


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


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"offset_s": -0.12, "offset_confidence": 0.9}, "Sound leads picture by 120 ms, confident."),
        ({"offset_s": 0.3, "offset_confidence": 0.2}, "Picture leads sound by 300 ms, not sure."),
        ({"offset_s": 0.0, "offset_confidence": 0.6}, "Sound and picture are together, fairly sure."),
        ({"offset_s": 0.0}, "Sound and picture are together."),
        ({}, ""),
        ({"offset_s": None}, ""),
    ],
)
def test_timing_is_a_sentence(scores, words):
    assert timing(scores) == words


def test_scores_are_listed_synchrony_first_and_unknown_ones_keep_their_name():
    lines = measures({"new_score": 0.1234, "peak_amplitude": 0.83, "p_in_sync": 0.62, "silence_ratio": None})
    assert [(one.name, one.value) for one in lines] == [
        ("In sync", "62 %"),
        ("Loudest peak", "83 %"),
        ("Silent", "not measured"),
        ("New score", "0.123"),
    ]


def test_everything_has_words():
    assert all(why(outcome).endswith(".") for outcome in Outcome)
    assert list(REASONS) == list(RejectReason) and list(ENOUGH) == list(Enough)


def test_a_span_is_read_as_minutes_and_seconds():
    assert span(3_200_000, 64_000_000) == "0:03.2 to 1:04.0"


def test_a_share_tells_its_interval():
    assert share_between(0.96, 0.91, 0.984) == "96 % (91 to 98 %)"
    assert share_between(float("nan"), 0, 1) == ""


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "/etc/passwd", "http://[", "https:"])
def test_only_web_addresses_become_links(link):
    assert web_link(link) == ""
