"""Small plots of the numbers page as SVG; colours come from the page's style sheet, so that they follow its theme."""

from collections.abc import Sequence
from datetime import date
from html import escape

from markupsafe import Markup

WIDTH, BAR, GAP, HEIGHT = 640, 18, 8, 120
LONGEST_LABEL = 22


def daily_svg(days: Sequence[tuple[date, int]]) -> Markup:
    """Answers a day as bars, the newest thirty days that have any."""
    shown = days[-30:]
    most = max((count for _, count in shown), default=1)
    step = min(48.0, WIDTH / max(len(shown), 1))
    parts = []
    for at, (day, count) in enumerate(shown):
        high = round(HEIGHT * count / most, 1)
        place = f'x="{at * step + 2:.1f}" y="{HEIGHT + 14 - high}" width="{step - 4:.1f}" height="{high}"'
        parts.append(f'<rect class="bar" {place}><title>{day:%d %b}: {count}</title></rect>')
        parts.append(
            f'<text x="{at * step + step / 2:.1f}" y="{HEIGHT + 10 - high}" text-anchor="middle">{count}</text>'
        )
        if at in (0, len(shown) - 1):
            parts.append(
                f'<text x="{at * step + step / 2:.1f}" y="{HEIGHT + 30}" text-anchor="middle">{day:%d %b}</text>'
            )
    return _svg(parts, height=HEIGHT + 36, words=f"{sum(count for _, count in days)} answers on {len(days)} days")


def share_svg(rows: Sequence[tuple[str, int, int]], *, words: str) -> Markup:
    """A bar for each (name, have, want): how much there is, and how much there should be (0: no target)."""
    most = max((max(have, want) for _, have, want in rows), default=1) or 1
    left, right = 190, 90
    room = WIDTH - left - right
    parts = []
    for at, (name, have, want) in enumerate(rows):
        y = at * (BAR + GAP)
        short = name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1]}…"
        parts.append(f'<text x="{left - 10}" y="{y + BAR - 4}" text-anchor="end">{escape(short)}</text>')
        if want:
            parts.append(
                f'<rect class="want" x="{left}" y="{y}" width="{room * want / most:.1f}" height="{BAR}" rx="3"/>'
            )
        parts.append(f'<rect class="bar" x="{left}" y="{y}" width="{room * have / most:.1f}" height="{BAR}" rx="3"/>')
        told = f"{have} of {want}" if want else str(have)
        end = left + room * max(have, want) / most + 8
        parts.append(f'<text x="{end:.1f}" y="{y + BAR - 4}">{told}</text>')
    return _svg(parts, height=max(1, len(rows)) * (BAR + GAP), words=words)


def _svg(parts: Sequence[str], *, height: float, words: str) -> Markup:
    head = f'<svg class="plot" viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(words)}">'
    # Every name in it was escaped above; the rest are numbers and our own words.
    return Markup(head + "".join(parts) + "</svg>")
