"""The report's charts as inline SVG strings: crisp at any size, and coloured by the page's own style sheet.

Text takes `currentColor`, marks take classes (`accept`, `review`, `reject`, `line`), so one drawing serves the light
scheme, the dark one and paper. Every name that reaches a chart is escaped here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from curation.accounting.funnel import Stage
from curation.decide.policy import Band
from flows.report.data import Curve, GapCurve, Histogram, ProbeRow, Threshold
from flows.report.words import number, ordered, tone, words

WIDTH, HEIGHT = 380, 190
LEFT, RIGHT, BOTTOM = 40, 372, 164
BINS = 24
MAX_POINTS = 500
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight map from values to pixels."""

    low: float
    high: float
    from_px: float
    to_px: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.from_px + (value - self.low) / (self.high - self.low) * (self.to_px - self.from_px)


def funnel_bar(stage: Stage) -> str:
    """A bar of the stage's outcomes, each as wide as its share of what came in; "" for an empty stage."""
    shown = [(name, count) for name, count in ordered(stage) if count]
    total = sum(count for _, count in shown)
    if not total:
        return ""
    parts, at = [], 0.0
    for name, count in shown:
        wide = 1000 * count / total
        title = f"<title>{escape(words(name))}: {count}</title>"
        parts.append(
            f'<rect class="{tone(name)}" x="{at:.1f}" width="{max(wide - 3, 1):.1f}" height="10">{title}</rect>'
        )
        at += wide
    label = f"{stage.name}: " + ", ".join(f"{count} {words(name)}" for name, count in shown)
    return _svg(label, parts, box=(1000, 10), css="bar", stretch=True)


def histogram(chart: Histogram) -> str:
    """Stacked counts by band with the policy's borders; "" where nothing was measured."""
    values = {band: _finite(chart.values.get(band, ())) for band in Band}
    joined = np.concatenate([*values.values()])
    if not len(joined):
        return ""
    edges = _bin_edges(joined, chart.thresholds)
    counts = {band: np.histogram(found, edges)[0] for band, found in values.items()}
    tallest = int(sum(counts.values()).max())  # type: ignore[union-attr]
    x = Scale(float(edges[0]), float(edges[-1]), LEFT, RIGHT)
    y = Scale(0, tallest, BOTTOM, 16 + 13 * len(chart.thresholds))
    parts = [*_axes(x, y, y_ticks=(0, tallest)), *_stacks(counts, edges, x, y)]
    parts += [_border(line, row, x) for row, line in enumerate(chart.thresholds)]
    told = ", ".join(f"{len(values[band])} {band}" for band in Band)
    return _svg(f"Histogram of {words(chart.name)}: {told}, from {joined.min():.3g} to {joined.max():.3g}", parts)


def loss_curve(curve: Curve) -> str:
    """Raw losses faint, their running mean bold, other series dashed; "" where there is no finite loss."""
    steps, losses = _pairs(curve.steps, curve.losses)
    if not len(losses):
        return ""
    mean = running_mean(losses)
    extra = [_pairs(series.steps, series.values) for series in curve.extra]
    shown = np.concatenate([mean, *(values for _, values in extra)])
    low, high = min(shown.min(), np.percentile(losses, 1)), max(shown.max(), np.percentile(losses, 99))
    pad = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    y = Scale(float(low - pad), float(high + pad), BOTTOM, 12)
    x = Scale(float(steps[0]), float(max(steps[-1], steps[0] + 1)), LEFT, RIGHT)
    parts = [
        *_axes(x, y, y_ticks=ticks(y.low, y.high, 4), whole=True),
        _polyline(steps, losses, x, y, css="raw"),
        _polyline(steps, mean, x, y, css="mean"),
        *(_polyline(*pair, x, y, css=f"extra extra-{i % 3}") for i, pair in enumerate(extra)),
    ]
    label = f"Loss of {curve.name}: running mean {mean[0]:.4g} at first, {mean[-1]:.4g} at step {steps[-1]:.0f}"
    return _svg(label, parts)


def gap_curve(curve: GapCurve) -> str:
    """What a moved sound costs at each probe, with twice its error as a band, and the line of no difference."""
    if not curve.steps:
        return ""
    steps, gaps = np.asarray(curve.steps, np.float64), np.asarray(curve.gaps, np.float64)
    half = 2 * np.nan_to_num(np.asarray(curve.errors, np.float64), posinf=0.0)
    low, high = min(0.0, float((gaps - half).min())), max(0.0, float((gaps + half).max()))
    pad = (high - low) * 0.05 or 1e-6
    y = Scale(low - pad, high + pad, BOTTOM, 12)
    x = Scale(0.0, float(steps[-1]), LEFT, RIGHT)
    upper = [f"{x(at):.1f},{y(value):.1f}" for at, value in zip(steps, gaps + half, strict=True)]
    lower = [f"{x(at):.1f},{y(value):.1f}" for at, value in zip(steps, gaps - half, strict=True)]
    dots = [
        f'<circle class="gap" cx="{x(at):.1f}" cy="{y(gap):.1f}" r="3"><title>step {at:.0f}: {gap:+.4g} ± {error:.2g}'
        "</title></circle>"
        for at, gap, error in zip(steps, gaps, curve.errors, strict=True)
    ]
    parts = [
        *_axes(x, y, y_ticks=ticks(y.low, y.high, 4), whole=True),
        f'<polygon class="band" points="{" ".join(upper + lower[::-1])}"/>',
        *(_bar(x(at), y(gap - one), y(gap + one)) for at, gap, one in zip(steps, gaps, half, strict=True)),
        f'<line class="zero" x1="{LEFT}" x2="{RIGHT}" y1="{y(0):.1f}" y2="{y(0):.1f}"/>',
        _polyline(steps, gaps, x, y, css="mean"),
        *dots,
    ]
    told = f"{gaps[-1]:+.4g} ± {curve.errors[-1]:.2g} at step {steps[-1]:.0f}"
    return _svg(f"Loss with a moved sound minus loss with the true one: {told}", parts)


def _bar(at: float, low: float, high: float) -> str:
    return f'<line class="error" x1="{at:.1f}" x2="{at:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'


def probe_dots(row: ProbeRow, rows: Sequence[ProbeRow]) -> str:
    """The three losses of a probe row in units of its loss without sound, as dots on one axis shared by all rows."""
    if any(one.none <= 0 for one in rows):
        return ""
    every = [value / one.none for one in rows for value in (one.matched, one.shifted, one.none)]
    x = Scale(min(every), max(every) if max(every) > min(every) else min(every) + 1, 8, 232)
    parts = ['<line class="grid" x1="8" x2="232" y1="10" y2="10"/>']
    named = (("no sound", row.none, "reject"), ("shifted", row.shifted, "review"), ("matched", row.matched, "accept"))
    for name, value, css in named:
        title = f"<title>{name}: {value / row.none:.1%}</title>"
        parts.append(f'<circle class="{css}" cx="{x(value / row.none):.1f}" cy="10" r="5">{title}</circle>')
    told = ", ".join(f"{name} {value / row.none:.1%}" for name, value, _ in named)
    return _svg(f"Loss relative to no sound: {told}", parts, box=(240, 20), css="dots")


def wave(peaks: NDArray[np.float32]) -> str:
    """The outline of a sound from its peaks in [0, 1]; square root, so that quiet sound is seen and silence is not."""
    high = np.maximum(np.sqrt(peaks), 0.02)
    upper = [f"{i},{1 - p:.2f}" for i, p in enumerate(high)]
    lower = [f"{i},{1 + p:.2f}" for i, p in reversed(list(enumerate(high)))]
    path = f'<path d="M{" ".join(upper + lower)}Z"/>'
    loudest = number(float(peaks.max()))
    return _svg(f"Sound of the clip, peak {loudest}", [path], box=(len(peaks) - 1, 2), css="wave", stretch=True)


def running_mean(values: Array) -> Array:
    """Centred mean under a Hann window a tenth of the curve wide, so that it neither lags nor bends at the ends."""
    half = max(1, len(values) // 20)
    kernel = np.hanning(2 * half + 3)[1:-1]
    padded = np.convolve(values, kernel)[half : half + len(values)]
    weight = np.convolve(np.ones_like(values), kernel)[half : half + len(values)]
    return padded / weight


def _stacks(counts: dict[Band, NDArray[np.int64]], edges: Array, x: Scale, y: Scale) -> list[str]:
    parts, below = [], np.zeros(len(edges) - 1)
    for band, found in counts.items():
        for i in np.flatnonzero(found):
            left, right = x(edges[i]) + 0.5, x(edges[i + 1]) - 0.5
            top, bottom = y(below[i] + found[i]), y(below[i])
            parts.append(
                f'<rect class="{band}" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
                f'height="{bottom - top:.1f}"/>'
            )
        below += found
    return parts


def _border(line: Threshold, row: int, x: Scale) -> str:
    at, base = x(line.value), 12 + 13 * row
    side, anchor = (4, "start") if at < (LEFT + RIGHT) / 2 else (-4, "end")
    return (
        f'<line class="border" x1="{at:.1f}" x2="{at:.1f}" y1="{base - 9}" y2="{BOTTOM}"/>'
        f'<text x="{at + side:.1f}" y="{base}" text-anchor="{anchor}">{escape(line.label)} {line.value:g}</text>'
    )


def _axes(x: Scale, y: Scale, *, y_ticks: Sequence[float], whole: bool = False) -> list[str]:
    parts = []
    for value in y_ticks:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{_short(value)}</text>')
    for value in ticks(x.low, x.high, 5):
        if whole and value != round(value):
            continue
        anchor = "end" if x(value) > RIGHT - 12 else "middle"
        parts.append(f'<text x="{x(value):.1f}" y="{BOTTOM + 18}" text-anchor="{anchor}">{_short(value)}</text>')
    return parts


def _polyline(steps: Array, values: Array, x: Scale, y: Scale, *, css: str) -> str:
    if not len(values):
        return ""
    chosen = np.unique(np.linspace(0, len(values) - 1, min(len(values), MAX_POINTS)).round().astype(int))
    top, bottom = y.to_px, y.from_px
    dots = " ".join(f"{x(steps[i]):.1f},{min(max(y(values[i]), top), bottom):.1f}" for i in chosen)
    return f'<polyline class="line {css}" points="{dots}"/>'


def _bin_edges(values: Array, thresholds: Sequence[Threshold]) -> Array:
    """Equal bins of a round width over all values and borders, so that a round border falls between two bins."""
    every = [*values, *(line.value for line in thresholds)]
    low, high = float(min(every)), float(max(every))
    step = _round_step((high - low) / BINS or abs(high) / 10 or 0.1)
    first, last = int(np.floor(low / step + 1e-9)), int(np.floor(high / step + 1e-9)) + 1
    return np.round(np.arange(first, last + 1) * step, 12)


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round values inside [low, high], at most as many as asked for and one."""
    step = _round_step((high - low) / about)
    return [round(float(k * step), 10) for k in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10 times a power of ten that is no less than `least`."""
    power = float(10.0 ** np.floor(np.log10(least)))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= least * 0.999)


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{value:g}"


def _pairs(steps: Sequence[int], values: Sequence[float]) -> tuple[Array, Array]:
    at, found = np.asarray(steps, np.float64), np.asarray(values, np.float64)
    return at[np.isfinite(found)], found[np.isfinite(found)]


def _finite(values: Sequence[float]) -> Array:
    found = np.asarray(values, np.float64)
    return found[np.isfinite(found)]


def _svg(
    label: str,
    parts: Sequence[str],
    *,
    box: tuple[int, int] = (WIDTH, HEIGHT),
    css: str = "chart",
    stretch: bool = False,
) -> str:
    ratio = ' preserveAspectRatio="none"' if stretch else ""
    return (
        f'<svg class="{css}" viewBox="0 0 {box[0]} {box[1]}" role="img" aria-label="{escape(label)}"{ratio}>'
        f"{''.join(parts)}</svg>"
    )
