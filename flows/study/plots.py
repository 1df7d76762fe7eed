"""A study's plots, each a standalone SVG: F1 by share, what a reviewer's minute yields, what single parts are worth."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from flows.report.plots import Scale, ticks
from flows.study.arms import Group
from flows.study.data import StudyData
from flows.study.results import ArmResult
from flows.study.settings import StudySettings
from flows.study.table import by_arm, difference, f1_of, interval, is_main, minutes

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 400, 64, 56, 560, 330
COLOURS = ("#2463c4", "#d1651a", "#2f8f5b", "#7a4fb5", "#6b7280")
_STYLE = """
svg { font: 13px system-ui, sans-serif; background: #fff; color: #1c2330; }
text { fill: currentColor; } .quiet { fill: #6b7280; } .title { font-weight: 600; font-size: 15px; }
.grid { stroke: #e3e7ec; } .even { stroke-dasharray: 5 4; } .zero { stroke: #8892a0; }
@media (prefers-color-scheme: dark) { svg { background: #14181f; color: #e4e8ee; } .grid { stroke: #2b323d; } }
"""


@dataclass(frozen=True, slots=True)
class Series:
    """A line with intervals: (x, value, low, high) in the order of x; flat ones hold everywhere."""

    name: str
    colour: str
    points: tuple[tuple[float, float, float, float], ...]
    flat: bool = False


def shares_svg(results: Sequence[ArmResult], data: StudyData, settings: StudySettings) -> str:
    """F1 by share of the curated films, without a stage one on the crawl and with it; the crawl alone as lines."""
    series = list(_by_share(results))
    shares = sorted({x for one in series if not one.flat for x, *_ in one.points})
    x = Scale(float(np.log10(shares[0])), 0.0 if len(shares) > 1 else shares[0] + 1, LEFT, RIGHT)
    values = [value for one in series for point in one.points for value in point[1:]]
    y = Scale(max(min(values) - 0.03, 0), min(max(values) + 0.03, 1), BOTTOM, TOP)
    parts = _y_axis(y)
    for share in shares:
        at = x(float(np.log10(share)))
        parts.append(_text(at, BOTTOM + 18, f"{share:.0%}", anchor="middle"))
        parts.append(_text(at, BOTTOM + 36, f"{minutes(share, data, settings):.1f}", anchor="middle", css="quiet"))
    parts.append(_text(RIGHT + 30, BOTTOM + 18, "of the curated films"))
    parts.append(_text(RIGHT + 30, BOTTOM + 36, "reviewer minutes", css="quiet"))
    for one in series:
        parts += _flat(one, y) if one.flat else _line(one, x, y)
    parts += _names([(one.name, one.colour, y(one.points[-1][1])) for one in series])
    return _document("Event F1 of films that animate unseen pictures, by how much of the curated set was used", parts)


def reviewing_svg(data: StudyData, settings: StudySettings) -> str:
    """Good clips found by reviewer minute, by order of asking."""
    orders: Mapping[str, Sequence[bool]] = data.reviewed.orders
    most = max((len(answers) for answers in orders.values()), default=1)
    good = max((sum(answers) for answers in orders.values()), default=1)
    x = Scale(0, most * settings.answer_s / 60, LEFT, RIGHT)
    y = Scale(0, max(good, 1), BOTTOM, TOP)
    parts = _y_axis(y)
    for at in ticks(0, x.high, 5):
        parts.append(_text(x(at), BOTTOM + 18, f"{at:g}", anchor="middle"))
    parts.append(_text(RIGHT + 30, BOTTOM + 18, "reviewer minutes"))
    ends = []
    for (name, answers), colour in zip(orders.items(), COLOURS, strict=False):
        found = np.cumsum([0, *answers])
        dots = " ".join(f"{x(at * settings.answer_s / 60):.1f},{y(float(n)):.1f}" for at, n in enumerate(found))
        parts.append(f'<polyline points="{dots}" fill="none" stroke="{colour}" stroke-width="2"/>')
        ends.append((name, colour, y(float(found[-1]))))
    return _document("Good clips that a reviewer's minutes find", parts + _names(ends))


def parts_svg(results: Sequence[ArmResult], base: str) -> str:
    """What changes when one part is changed: F1 less that of the arm it is compared with; "" without such arms."""
    arms = by_arm(results)
    changed = {name: some for name, some in arms.items() if name != base and _compared(some[0], arms[base][0])}
    if not changed:
        return ""
    rows = [(name, *difference(some, arms[base])) for name, some in changed.items()]
    edge = max(abs(value) for _, *values in rows for value in values) * 1.1
    x = Scale(-edge, edge, 260, 690)
    parts = [f'<line class="zero" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="{TOP}" y2="{TOP + 30 * len(rows)}"/>']
    for place, (name, value, low, high) in enumerate(rows):
        at, told = TOP + 18 + 30 * place, low > 0 or high < 0
        colour = COLOURS[0] if told else COLOURS[-1]
        parts.append(_text(240, at + 4, name, anchor="end"))
        parts.append(
            f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{at}" y2="{at}" stroke="{colour}" stroke-width="2"/>'
        )
        parts.append(f'<circle cx="{x(value):.1f}" cy="{at}" r="4" fill="{colour}"/>')
        parts.append(_text(x(value), at - 8, f"{value:+.3f}", anchor="middle", css="quiet"))
    foot = TOP + 30 * len(rows) + 24
    parts.append(_text(x(0), foot, "F1 less that of the usual way; grey: no difference told", anchor="middle"))
    return _document(f"What single parts are worth, beside “{base}”", parts, height=foot + 20)


def _by_share(results: Sequence[ArmResult]) -> Iterable[Series]:
    arms = by_arm(results).values()

    def point(some: Sequence[ArmResult]) -> tuple[float, float, float, float]:
        return (some[0].curated_share, f1_of(some), *interval(some))

    alone = sorted(point(some) for some in arms if some[0].group == Group.CURATED_ONLY)
    both = sorted(point(some) for some in arms if is_main(some[0]))
    yield Series("curated alone", COLOURS[0], tuple(alone))
    yield Series("curated crawl first, then curated", COLOURS[1], tuple(both))
    crawls = [some for some in arms if some[0].group == Group.CRAWL_ONLY]
    for some, colour in zip(crawls, COLOURS[2:], strict=False):
        yield Series(f"crawl alone: {some[0].arm}", colour, (point(some),), flat=True)


def _compared(one: ArmResult, base: ArmResult) -> bool:
    same = one.group == Group.TWO_STAGES and one.curated_share == base.curated_share
    return one.group == Group.ABLATION or same


def _y_axis(y: Scale) -> list[str]:
    parts = []
    for value in ticks(y.low, y.high, 6):
        at, said = y(value), f"{value:g}"
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(_text(LEFT - 8, at + 4, said, anchor="end"))
    return parts


def _line(one: Series, x: Scale, y: Scale) -> list[str]:
    places = [(x(float(np.log10(at))), y(value), y(low), y(high)) for at, value, low, high in one.points]
    dots = " ".join(f"{at:.1f},{value:.1f}" for at, value, _, _ in places)
    parts = [f'<polyline points="{dots}" fill="none" stroke="{one.colour}" stroke-width="2"/>']
    for at, value, low, high in places:
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="{one.colour}"/>')
        parts.append(f'<circle cx="{at:.1f}" cy="{value:.1f}" r="4" fill="{one.colour}"/>')
    return parts


def _flat(one: Series, y: Scale) -> list[str]:
    at = y(one.points[0][1])
    return [f'<line class="even" x1="{LEFT}" x2="{RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="{one.colour}"/>']


def _names(ends: Sequence[tuple[str, str, float]]) -> list[str]:
    """Names of lines at their ends, moved apart so that none lies on another."""
    parts, free = [], 0.0
    for name, colour, at in sorted(ends, key=lambda one: one[2]):
        free = max(at + 4, free + 17)
        parts.append(f'<text x="{RIGHT + 10}" y="{free:.1f}" style="fill:{colour}">{escape(name)}</text>')
    return parts


def _text(x: float, y: float, words: str, *, anchor: str = "start", css: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{css}">{escape(words)}</text>'


def _document(title: str, parts: Sequence[str], *, height: int = HEIGHT) -> str:
    width = WIDTH + 90
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{escape(title)}"><style>{_STYLE}</style>{_text(16, 26, title, css="title")}'
        f"{''.join(parts)}</svg>\n"
    )
