"""The report's charts and numbers: every finite value counts, and odd input draws nothing wrong."""

import re

import numpy as np
import pytest

from curation.accounting.funnel import Stage
from curation.decide.policy import Band
from flows.report import plots, words
from flows.report.data import Curve, Histogram, ProbeRow, Threshold


def test_a_round_border_falls_between_two_bars():
    chart = Histogram(
        "p_good", "", {Band.ACCEPT: (0.75, 0.99), Band.REJECT: (0.02, 0.74)}, (Threshold("accept", 0.75),)
    )
    drawing = plots.histogram(chart)
    border = float(re.search(r'class="border" x1="([\d.]+)"', drawing)[1])
    bars = [
        (float(x), float(x) + float(w)) for x, w in re.findall(r'x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawing)
    ]
    assert len(bars) == 4
    assert not any(left < border - 0.01 and border + 0.01 < right for left, right in bars)


@pytest.mark.parametrize("values", [(0.5,), (0.0, 0.0), (-1e-9, 1e6), (float("nan"), 1.0)])
def test_a_histogram_of_odd_values_still_counts_each_finite_one(values):
    drawing = plots.histogram(Histogram("x", "", {Band.REVIEW: values}))
    finite = int(np.isfinite(values).sum())
    assert f"{finite} review" in drawing and "nan" not in drawing


def test_charts_of_nothing_are_nothing():
    assert plots.histogram(Histogram("x", "", {Band.ACCEPT: (float("nan"),)})) == ""
    assert plots.loss_curve(Curve("stage one", (), ())) == ""
    assert plots.funnel_bar(Stage("source rows", 0, {})) == ""
    zero = ProbeRow("stage one", 0.0, 0.0, 0.0)
    assert plots.probe_dots(zero, [zero]) == ""


def test_a_one_step_run_has_a_curve():
    assert "0.7 at step 1" in plots.loss_curve(Curve("stage one", (1,), (0.7,)))


def test_the_running_mean_neither_lags_nor_bends_a_straight_line():
    ramp = np.linspace(1.0, 0.0, 200)
    mean = plots.running_mean(ramp)
    assert np.abs(mean[20:-20] - ramp[20:-20]).max() < 1e-9
    assert np.abs(mean - ramp).max() < 0.03


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.4321, "0.432"),
        (12.3456, "12.3"),
        (1234.5, "1234"),
        (3.0, "3"),
        (0.00012, "0.00012"),
        (float("nan"), "not measured"),
        (None, "not measured"),
    ],
)
def test_numbers_keep_three_digits(value, said):
    assert words.number(value) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.44, "0.4 s"), (12.4, "12 s"), (120, "2 min"), (185, "3 min 5 s"), (7800, "2 h 10 min")]
)
def test_durations_are_said_as_people_say_them(seconds, said):
    assert words.duration(seconds) == said
