"""Pictures that stand alone, for artifacts: loss and sync probe, the spread of the scores, sheets of clips."""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape

from curation.decide.policy import Band
from flows.report.cards import Card
from flows.report.data import Curve, GapCurve, Histogram
from flows.report.plots import HEIGHT, WIDTH, gap_curve, histogram, loss_curve
from flows.report.words import words
from flows.secrets import redacted

_TITLE, _STRIP = 26, 300
_STYLE = """
text { font: 11px system-ui, sans-serif; fill: #57606a }
.title { font-size: 13px; font-weight: 600; fill: #1f2328 }
.grid { stroke: #d8dee4 }
.zero { stroke: #57606a; stroke-dasharray: 3 3 }
.line { fill: none; stroke: #0969da; stroke-width: 2 }
.line.raw { stroke-width: 1; opacity: .3 }
.band { fill: #0969da; opacity: .15 }
.error { stroke: #0969da; stroke-width: 1.5 }
.gap { fill: #0969da }
rect.accept { fill: #1a7f37 }
rect.review { fill: #bf8700 }
rect.reject { fill: #cf222e }
.border { stroke: #1f2328; stroke-dasharray: 3 3 }
"""


def training_picture(curve: Curve, gaps: GapCurve) -> str:
    """An SVG document on white ground, as an artifact's page may be dark."""
    return _panels(
        [(f"Loss, {curve.name}", loss_curve(curve)), ("What a moved sound costs, ± 2 errors", gap_curve(gaps))],
        columns=1,
    )


def score_picture(charts: Sequence[Histogram]) -> str:
    """How the scores are spread over the bands, three charts in a row; "" where nothing was measured."""
    return _panels([(words(chart.name).capitalize(), histogram(chart)) for chart in charts], columns=3)


def contact_sheet(cards: Mapping[Band, Sequence[Card]]) -> str:
    """What was kept, what is asked about and what was thrown away, a strip of frames each; "" where there is none."""
    parts, top = list[str](), 0
    for band, some in cards.items():
        shown = [card for card in some if card.picture.strip]
        if not shown:
            continue
        parts.append(f'<text class="title" x="8" y="{top + 18}">{band.value}</text>')
        top += _TITLE
        for card in shown:
            clip = card.clip
            said = ", ".join([words(reason) for reason in clip.reasons] or [clip.heard or "in sync"])
            box = f'x="8" y="{top}" height="36" width="{_STRIP}" preserveAspectRatio="xMinYMid"'
            parts.append(f'<image {box} href="{card.picture.strip}"/>')
            for line, text in enumerate((clip.label or clip.caption or redacted(clip.link), said)):
                parts.append(f'<text x="{_STRIP + 20}" y="{top + 15 + 15 * line}">{escape(_plain(text)[:60])}</text>')
            top += 42
    return _document(parts, 2 * WIDTH, top) if parts else ""


def _plain(text: str) -> str:
    """XML knows no control characters, however they are escaped."""
    return "".join(one for one in text if one.isprintable())


def _panels(charts: Sequence[tuple[str, str]], *, columns: int) -> str:
    """Charts with their titles, row by row; those that are empty are left out."""
    parts, drawn = list[str](), [(title, chart) for title, chart in charts if chart]
    for place, (title, chart) in enumerate(drawn):
        left, top = place % columns * WIDTH, place // columns * (HEIGHT + _TITLE)
        parts.append(f'<text class="title" x="{left + 8}" y="{top + 18}">{escape(title)}</text>')
        parts.append(re.sub("^<svg ", f'<svg x="{left}" y="{top + _TITLE}" width="{WIDTH}" height="{HEIGHT}" ', chart))
    if not parts:
        return ""
    return _document(parts, min(columns, len(drawn)) * WIDTH, -(-len(drawn) // columns) * (HEIGHT + _TITLE))


def _document(parts: Sequence[str], width: int, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{2 * width}" '
        f'height="{2 * height}"><style>{_STYLE}</style><rect width="{width}" height="{height}" fill="#fff"/>'
        f"{''.join(parts)}</svg>"
    )


def as_link(picture: str | bytes) -> str:
    """An SVG document, or a PNG's bytes, as a link that holds all of it: an artifact must not depend on a file."""
    kind, data = ("svg+xml", picture.encode()) if isinstance(picture, str) else ("png", picture)
    return f"data:image/{kind};base64,{b64encode(data).decode()}"
