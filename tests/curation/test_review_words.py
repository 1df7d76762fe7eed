"""What a reviewer reads."""

import pytest

from curation.outcomes import Outcome
from curation.review.progress import Enough
from curation.review.where import Where, where_of
from curation.review.words import (
    ENOUGH,
    REASONS,
    heard,
    lag,
    measures,
    place,
    share_between,
    span,
    synchrony,
    timing,
    web_link,
    why,
)
from curation.verdicts.answers import RejectReason

REGION = {"where_x": 0.0, "where_y": 0.75, "where_side": 1 / 6}


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
    lines = measures({"new_score": 0.1234, "peak_amplitude": 0.83, "sync_peak": 6.2, "silence_ratio": None})
    assert [(one.name, one.value) for one in lines] == [
        ("Agreement, shifted to fit", "6.2 σ"),
        ("Loudest peak", "83 %"),
        ("Silent", "not measured"),
        ("New score", "0.123"),
    ]


@pytest.mark.parametrize(
    ("x", "y", "side", "words"),
    [
        (0, 0, 1 / 6, "top left"),
        (0.25, 0, 1 / 3, "top"),
        (5 / 6, 5 / 6, 1 / 6, "bottom right"),
        (0, 5 / 12, 1 / 6, "left"),
        (2 / 3, 1 / 3, 1 / 3, "right"),
        (1 / 3, 2 / 3, 1 / 3, "bottom"),
        (1 / 3, 1 / 3, 1 / 3, "middle"),
        (0, 0, 1, "middle"),
    ],
)
def test_a_place_is_named_by_the_middle_of_the_region(x, y, side, words):
    assert place(x, y, side) == words


def test_a_place_ends_a_sentence():
    assert heard(Where(0, 0, 0.25)) == "heard at the top left"
    assert heard(Where(0.4, 0.4, 0.2, sure=False)) == "perhaps heard in the middle"


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"p_in_sync": 0.82, "offset_s": 0.02, "offset_confidence": 0.8}, "82 % in sync"),
        (REGION | {"p_in_sync": 0.82}, "82 % in sync, heard at the bottom left"),
        (
            REGION | {"p_in_sync": 0.06, "offset_s": 0.3, "offset_confidence": 0.77},
            "6 % in sync, sound is 300 ms late (77 % sure), heard at the bottom left",
        ),
        (REGION | {"p_in_sync": 0.4, "p_no_cues": 0.3}, "40 % in sync, perhaps heard at the bottom left"),
        (REGION | {"p_in_sync": 0.3, "offset_confidence": 0.3, "p_no_cues": 0.4}, "30 % in sync"),
        ({"p_in_sync": 0.0, "offset_s": 0.0, "offset_confidence": 0.0, "p_no_cues": 1.0, "where_x": None},
         "0 % in sync, nothing tells the timing"),
        ({"p_in_sync": None}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_what_a_reader_should_know_first(scores, words):
    assert synchrony(scores) == words


@pytest.mark.parametrize(
    "odd", [{"where_x": None}, {"where_x": float("nan")}, {"where_y": "0.5"}, {"where_x": -0.1}, {"where_x": 0.9},
            {"where_side": 0}, {"where_side": True}, {"p_no_cues": 0.7}, {"p_in_sync": None}]
)  # fmt: skip
def test_a_region_needs_numbers_inside_the_picture_and_a_timing(odd):
    good = REGION | {"p_in_sync": 0.6}
    assert where_of(good) == Where(0.0, 0.75, 1 / 6)
    assert where_of(good | odd) is None


def test_a_region_is_a_guess_where_its_timing_is_not_likelier_than_all_else():
    assert where_of(REGION | {"p_in_sync": 0.4, "p_no_cues": 0.3}) == Where(0.0, 0.75, 1 / 6, sure=False)
    assert where_of(REGION | {"p_in_sync": 0.1, "offset_confidence": 0.5}).sure


def test_a_region_is_one_line_of_the_list():
    lines = {one.name: one.value for one in measures(REGION | {"p_in_sync": 0.6, "motion_max": 0.1})}
    assert lines == {"In sync": "60 %", "Heard at": "bottom left", "Motion at most": "0.100"}
    assert [one.value for one in measures(REGION | {"p_in_sync": 0.2})] == ["20 %", "bottom left, perhaps"]
    assert measures(REGION)[0].value == "no place is likely enough"


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
