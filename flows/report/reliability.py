"""The reliability plot of a calibration: what was predicted against what people said, as one SVG file."""

from collections.abc import Sequence
from html import escape

from curation.decide.calibrate import Bin, Calibration

SIZE, LEFT, TOP, SIDE = (420, 440), 60, 70, 320
STYLE = """
svg { font: 13px system-ui, sans-serif; background: #fff; color: #1c2330; }
.axis { stroke: #8892a0; fill: none; } .even { stroke: #b9c0ca; stroke-dasharray: 4 4; }
.bar { stroke: #2463c4; stroke-width: 2; } .dot { fill: #2463c4; } .edge { stroke: #c4472b; stroke-dasharray: 6 3; }
@media (prefers-color-scheme: dark) {
  svg { background: #14181f; color: #e4e8ee; }
  .bar { stroke: #7fb0ff; } .dot { fill: #7fb0ff; } .edge { stroke: #ff9b80; }
}
text { fill: currentColor; }
"""


def reliability_svg(calibration: Calibration) -> str:
    """A standalone SVG; dots are as large as the number of clips they stand for, bars are 95 % intervals.

    Where nothing is accepted without a person, no accept edge is drawn.
    """
    width, height = SIZE
    fitted = f"{calibration.examples} verdicts, mean distance {calibration.calibration_error:.3f}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{escape(fitted)}"><style>{STYLE}</style>',
        f'<text x="{LEFT}" y="20" font-weight="600">Predicted and observed, on clips not fitted on</text>',
        f'<text x="{LEFT}" y="38">{escape(fitted)}</text>',
        f'<rect class="axis" x="{LEFT}" y="{TOP}" width="{SIDE}" height="{SIDE}"/>',
        f'<line class="even" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>',
        *_edges(calibration),
        *_marks(calibration.reliability),
        *_ticks(),
    ]
    return "\n".join([*parts, "</svg>", ""])


def _marks(bins: Sequence[Bin]) -> list[str]:
    most = max((one.count for one in bins), default=1)
    found = []
    for one in bins:
        x, seen = _x(one.predicted), one.observed
        radius = 3 + 6 * (one.count / most) ** 0.5
        found.append(f'<line class="bar" x1="{x}" y1="{_y(seen.low)}" x2="{x}" y2="{_y(seen.high)}"/>')
        found.append(
            f'<circle class="dot" cx="{x}" cy="{_y(seen.value)}" r="{radius:.1f}"><title>{one.count} clips: predicted '
            f"{one.predicted:.2f}, observed {seen.value:.2f}</title></circle>"
        )
    return found


def _edges(calibration: Calibration) -> list[str]:
    odds = calibration.odds
    edges = [("review", odds.review_at, "start"), ("accept", odds.accept_at, "end")]
    found = []
    for name, at, anchor in edges if odds.accept_at < 1 else edges[:1]:
        found.append(f'<line class="edge" x1="{_x(at)}" y1="{_y(0)}" x2="{_x(at)}" y2="{_y(1)}"/>')
        found.append(f'<text x="{_x(at)}" text-anchor="{anchor}" y="{TOP - 6}">{name}</text>')
    return found


def _ticks() -> list[str]:
    found = []
    for tenth in (0, 5, 10):
        at = tenth / 10
        found.append(f'<text x="{_x(at)}" y="{TOP + SIDE + 18}" text-anchor="middle">{at:g}</text>')
        found.append(f'<text x="{LEFT - 8}" y="{_y(at) + 4:.1f}" text-anchor="end">{at:g}</text>')
    found.append(f'<text x="{LEFT + SIDE / 2}" y="{TOP + SIDE + 38}" text-anchor="middle">predicted P(good)</text>')
    turned = f"rotate(-90 18 {TOP + SIDE / 2})"
    found.append(
        f'<text x="18" y="{TOP + SIDE / 2}" text-anchor="middle" transform="{turned}">accepted by people</text>'
    )
    return found


def _x(value: float) -> float:
    return round(LEFT + SIDE * value, 1)


def _y(value: float) -> float:
    return round(TOP + SIDE * (1 - value), 1)
