"""What a reviewer reads about a clip: why it was flagged and what the scores say, in plain sentences."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from curation.outcomes import Outcome
from curation.review.progress import Enough
from curation.review.where import COLUMNS, Where, where_of
from curation.verdicts.answers import RejectReason

WHY: dict[Outcome, str] = {
    Outcome.WEAK_SYNC: "Sound and motion agree, but not surely.",
    Outcome.NO_CUES: "Nothing in picture or sound tells the timing.",
    Outcome.MISMATCH: "Picture or sound may not fit the caption.",
    Outcome.OFFSET: "The sound seems shifted against the picture.",
    Outcome.UNSYNCHRONISED: "No shift makes sound and motion agree.",
    Outcome.WEAK_MEANING: "Picture, sound and caption agree, but not surely.",
    Outcome.OFFSET_CORRECTED: "The sound was out of step by a constant amount, and was moved.",
    Outcome.AUDIT: "Accepted automatically, and drawn at random for a check.",
}
REASONS: dict[RejectReason, str] = {
    RejectReason.CAMERA_MOTION: "Camera moves",
    RejectReason.NOT_SYNCHRONISED: "Not in sync",
    RejectReason.MEANING: "Sound does not fit picture",
    RejectReason.OFF_SCREEN_SOUND: "Source is off screen",
    RejectReason.WRONG_CLASS: "Wrong label or caption",
    RejectReason.BAD_QUALITY: "Bad quality",
    RejectReason.OFFENSIVE: "Offensive",
    RejectReason.PERSONAL: "Personal or private",
}
ENOUGH: dict[Enough, str] = {
    Enough.TARGETS_MET: "Every class has the clips it should have.",
    Enough.PRECISION_PROVEN: "The checks prove that what is accepted automatically is precise enough.",
    Enough.NOTHING_WAITS: "Nothing waits for an answer.",
}
PLACE = "where"
SAME_TIME_S = 0.005
"""Nearer than this nobody hears or sees a difference, and the score cannot tell one either."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the score list: what was measured, and what came out."""

    name: str
    value: str


def why(reason: Outcome) -> str:
    """Why a clip was flagged, as a sentence."""
    return WHY.get(reason) or f"{plain(reason).capitalize()}: {reason.remedy}."


def lag(offset_s: float) -> str:
    """An offset in words; positive is late sound."""
    if not math.isfinite(offset_s):
        return "not measured"
    if abs(offset_s) < SAME_TIME_S:
        return "sound is on time"
    return f"sound is {abs(offset_s) * 1000:.0f} ms {'late' if offset_s > 0 else 'early'}"


def timing(scores: Mapping[str, float]) -> str:
    """What the signal says about the timing, as a sentence; empty where it was not measured."""
    offset_s, sure = (scores.get(name, math.nan) for name in ("offset_s", "offset_confidence"))
    if offset_s is None or not math.isfinite(offset_s):
        return ""
    surely = "" if sure is None or not math.isfinite(sure) else f", {_how_sure(sure)}"
    if abs(offset_s) < SAME_TIME_S:
        return f"Sound and picture are together{surely}."
    who = "Picture leads sound" if offset_s > 0 else "Sound leads picture"
    return f"{who} by {abs(offset_s) * 1000:.0f} ms{surely}."


def place(x: float, y: float, side: float) -> str:
    """Where a square region lies in the picture, by its middle: "top left", "right", "middle"."""
    across, down = ("", "left", "right"), ("", "top", "bottom")
    column, row = (_third(at + side / 2) for at in (x, y))
    return f"{down[row]} {across[column]}".strip() or "middle"


def heard(where: Where) -> str:
    """A region as the end of a sentence: "heard at the top left", "perhaps heard in the middle"."""
    named = place(where.x, where.y, where.side)
    return f"{'' if where.sure else 'perhaps '}heard {'in' if named == 'middle' else 'at'} the {named}"


def synchrony(scores: Mapping[str, float | None]) -> str:
    """What a reader should know first: "82 % in sync, heard at the top left"; empty where no timing was measured.

    The offset is said where it is likelier than that there is none: "9 % in sync, sound is 300 ms late (77 % sure)".
    """
    in_sync, offset_s, sure = (_known(scores, name) for name in ("p_in_sync", "offset_s", "offset_confidence"))
    if not math.isfinite(in_sync):
        return ""
    parts = [f"{percent(in_sync)} in sync"]
    if _known(scores, "p_no_cues") == 1:
        parts.append("nothing tells the timing")
    elif sure > in_sync and math.isfinite(offset_s):
        parts.append(f"{lag(offset_s)} ({percent(sure)} sure)")
    if where := where_of(scores):
        parts.append(heard(where))
    return ", ".join(parts)


def share_between(value: float, low: float, high: float) -> str:
    """A share and its interval: "96 % (91 to 98 %)"; empty where there is none."""
    return f"{percent(value)} ({low * 100:.0f} to {high * 100:.0f} %)" if math.isfinite(value) else ""


def measures(scores: Mapping[str, float]) -> list[Measure]:
    """The score list, what matters for synchrony first; a column without words of its own keeps its name.

    The three columns of the region are one line, for nobody sees a place in numbers.
    """
    ranks = list(_SAY)
    told = {name for name in scores if name not in COLUMNS} | {PLACE for name in COLUMNS[:1] if name in scores}
    names = sorted(told, key=lambda name: (ranks.index(name) if name in _SAY else len(ranks), name))
    return [_heard_at(scores) if name == PLACE else _measure(name, scores[name]) for name in names]


def percent(share: float) -> str:
    """A share of one as a whole percentage."""
    return f"{share * 100:.0f} %" if math.isfinite(share) else "not measured"


def span(start_us: int, end_us: int) -> str:
    """A span of a video: "0:03.2 to 0:06.4"."""
    return f"{_clock(start_us)} to {_clock(end_us)}"


def web_link(link: str) -> str:
    """`link` if it is an http(s) address, else "": what a source list says is never trusted as a target."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return ""
    return link if parts.scheme in ("http", "https") and parts.netloc else ""


def plain(name: str) -> str:
    """A column's or outcome's name without underscores."""
    return name.replace("_", " ")


def _measure(name: str, value: float | None) -> Measure:
    title, say = _SAY.get(name, (plain(name).capitalize(), "{:.3g}"))
    if value is None or not math.isfinite(value):
        return Measure(title, "not measured")
    return Measure(title, say.format(value) if isinstance(say, str) else say(value))


def _heard_at(scores: Mapping[str, float | None]) -> Measure:
    where = where_of(scores)
    said = place(where.x, where.y, where.side) if where else "no place is likely enough"
    return Measure(_SAY[PLACE][0], said if where is None or where.sure else f"{said}, perhaps")


def _third(middle: float) -> int:
    """0 in the middle third of the picture, 1 before it, 2 behind it."""
    return 1 if middle < 1 / 3 else 2 if middle > 2 / 3 else 0


def _known(scores: Mapping[str, float | None], name: str) -> float:
    value = scores.get(name)
    return math.nan if value is None else value


def _how_sure(confidence: float) -> str:
    return "confident" if confidence >= 0.8 else "fairly sure" if confidence >= 0.5 else "not sure"


def _clock(time_us: int) -> str:
    tenths = round(time_us / 100_000)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


_SAY: dict[str, tuple[str, str | Callable[[float], str]]] = {
    "p_in_sync": ("In sync", percent),
    "offset_s": ("Timing", lag),
    "offset_confidence": ("Confidence in the timing", percent),
    PLACE: ("Heard at", str),
    "p_no_cues": ("Nothing tells the timing", percent),
    "sync_at_zero": ("Agreement as it is, over chance", "{:.1f} σ"),
    "sync_peak": ("Agreement, shifted to fit", "{:.1f} σ"),
    "window_sync": ("Agreement of these seconds alone", "{:.1f} σ"),
    "window_offset_s": ("Timing of these seconds alone", lag),
    "repeats": ("Sound like itself, as beats are", percent),
    "synchformer_p_in_sync": ("In sync, says Synchformer", percent),
    "synchformer_offset_s": ("Timing, says Synchformer", lag),
    "unexplained_sound": ("Sound without motion", percent),
    "unexplained_music": ("Music without motion", percent),
    "speech_presence": ("Speech", percent),
    "unseen_speech": ("Speech of nobody in the picture", percent),
    "face_presence": ("A face near the speech", percent),
    "agreement": ("Picture and sound agree on the class", percent),
    "picture_sound": ("Sound fits picture", "{:.1f}"),
    "image_text_min": ("Picture fits caption", "{:.2f}"),
    "audio_text_min": ("Sound fits caption", "{:.2f}"),
    "image_jump_max": ("Largest jump in the picture", "{:.2f}"),
    "cues": ("Sound onsets", "{:.1f} a second"),
    "motion_mean": ("Motion", "{:.3f}"),
    "motion_max": ("Motion at most", "{:.3f}"),
    "peak_amplitude": ("Loudest peak", percent),
    "silence_ratio": ("Silent", percent),
    "rms_dbfs": ("Mean level", "{:.0f} dBFS"),
}
