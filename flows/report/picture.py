"""A training run as one picture that stands alone, for its artifact: the loss, and below it the sync probe."""

import re
from base64 import b64encode
from html import escape

from flows.report.data import Curve, GapCurve
from flows.report.plots import HEIGHT, WIDTH, gap_curve, loss_curve

_TITLE = 26
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
"""


def training_picture(curve: Curve, gaps: GapCurve) -> str:
    """An SVG document on white ground, as an artifact's page may be dark."""
    panels = [
        (title, drawn)
        for title, drawn in (
            (f"Loss, {curve.name}", loss_curve(curve)),
            ("What a moved sound costs, ± 2 errors", gap_curve(gaps)),
        )
        if drawn
    ]
    height, parts = len(panels) * (HEIGHT + _TITLE), []
    for place, (title, drawn) in enumerate(panels):
        top = place * (HEIGHT + _TITLE)
        parts.append(f'<text class="title" x="8" y="{top + 18}">{escape(title)}</text>')
        parts.append(re.sub("^<svg ", f'<svg x="0" y="{top + _TITLE}" width="{WIDTH}" height="{HEIGHT}" ', drawn))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{2 * WIDTH}" '
        f'height="{2 * height}"><style>{_STYLE}</style><rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        f"{''.join(parts)}</svg>"
    )


def as_link(picture: str) -> str:
    """An SVG document as a link that holds all of it: an artifact must not depend on a file that may go."""
    return f"data:image/svg+xml;base64,{b64encode(picture.encode()).decode()}"
