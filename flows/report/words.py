"""Numbers, names and outcomes as the report's reader sees them."""

import math
from enum import StrEnum

from markupsafe import Markup, escape

from curation.accounting.funnel import Stage
from curation.outcomes import Outcome, remedy_of


class Tone(StrEnum):
    """The colour of an outcome, also a CSS class: it went on, it waits for a person, it left, or it was not tried."""

    ACCEPT = "accept"
    REVIEW = "review"
    REJECT = "reject"
    IDLE = "idle"


TONES = {
    **dict.fromkeys(("ok", "accept", "accepted"), Tone.ACCEPT),
    **dict.fromkeys(("review", "waiting"), Tone.REVIEW),
    "not_tried_yet": Tone.IDLE,
}
REMEDIES = {
    "review": "a person decides",
    "waiting": "a person decides: `clapboard review serve`",
    "rejected": Outcome.REJECTED_BY_REVIEWER.remedy,
    "not_tried_yet": "the next run takes it up",
}


def tone(outcome: str) -> Tone:
    """The tone of an outcome as the funnel names it; what is not known to be good has left."""
    return TONES.get(outcome, Tone.REJECT)


def remedy(outcome: str) -> str:
    """What a person can do about an outcome of the funnel ("silent", "reject: silent", "waiting"); "" if nothing."""
    return REMEDIES.get(outcome) or remedy_of(outcome)


def coded(text: str) -> Markup:
    """Text with its `backticked` parts as code; everything else in it is escaped."""
    parts = [escape(part) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(part) if i % 2 else part for i, part in enumerate(parts))


def ordered(stage: Stage) -> list[tuple[str, int]]:
    """A stage's outcomes, the good ones first, then by falling count."""
    rank = list(Tone)
    return sorted(stage.outcomes.items(), key=lambda item: (rank.index(tone(item[0])), -item[1], item[0]))


def words(name: str) -> str:
    """A column's or outcome's name without underscores; a "reject:" in front goes, for the colour says it."""
    return name.removeprefix("reject: ").replace("_", " ")


def number(value: float | None) -> str:
    """Three significant digits, no exponent for what a score usually is; None and NaN were not measured."""
    if value is None or not math.isfinite(value):
        return "not measured"
    if value == round(value) and abs(value) < 1e6:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1e-3 or abs(value) >= 1e6 else f"{value:.{_decimals(value)}f}"


def _decimals(value: float) -> int:
    return max(0, 2 - math.floor(math.log10(abs(value)))) if abs(value) >= 1 else 3


def duration(seconds: float) -> str:
    """Seconds as a person says them: "0.4 s", "12 s", "3 min 5 s", "2 h 10 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s".removesuffix(" 0 s")
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def span(start_us: int, end_us: int) -> str:
    """A span of a video: "0:03.20-0:06.40" with a dash fit for print."""
    return f"{_clock(start_us)}–{_clock(end_us)}"


def _clock(time_us: int) -> str:
    hundredths = round(time_us / 10_000)
    return f"{hundredths // 6000}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"
