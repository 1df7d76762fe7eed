"""A sound that is late by the same amount all through a video is not wrong, only misplaced: find that amount.

One take can agree with itself at a wrong lag by chance. So the offset must be sure, by a posterior that is calibrated
on film; most windows of their own must say the same and together cover more than any of them; and a sound that
resembles itself, as beats do, is left alone: a beat's neighbour fits as well as the beat [ours].
"""

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from curation.scores.base import Evidence
from curation.scores.sync import SyncScore
from curation.scores.trends import columns_of

Columns = Mapping[str, float]


class CorrectionSettings(BaseModel):
    """When a video's offset is certain enough to be mended at the cut."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(True, description="mend constant offsets at the cut; otherwise reject large ones")
    from_s: float = Field(0.04, gt=0, description="leave smaller offsets as they are (a frame at 24 fps)")
    confidence: float = Field(0.7, ge=0, le=1, description="least `offset_confidence` of a take to be heard")
    spread_s: float = Field(0.04, gt=0, description="takes and windows must agree on the offset to within this")
    share: float = Field(0.75, gt=0, le=1, description="of the windows heard, so many must say the same on their own")
    cover_s: float = Field(4.5, gt=0, description="the windows that agree must cover so much of the video")
    repeats: float = Field(0.5, ge=0, le=1, description="leave sounds alone that are more like themselves than this")


def constant_offset_s(
    windows: Sequence[Columns], spans_us: Sequence[tuple[int, int]], settings: CorrectionSettings
) -> float | None:
    """How late a video's sound is, or None if that is too little, not constant, or not certain.

    Args:
        windows: the score columns of the windows of one video.
        spans_us: their starts and ends.
        settings: how certain it must be.
    """
    told = [
        (columns, span)
        for columns, span in zip(windows, spans_us, strict=True)
        if columns.get("offset_confidence", 0.0) >= settings.confidence
        and columns.get("repeats", 1.0) <= settings.repeats
    ]
    if not settings.enabled or not told:
        return None
    offset_s = float(np.median([columns["offset_s"] for columns, _ in told]))
    agreeing = [
        span
        for columns, span in told
        if all(abs(columns[name] - offset_s) <= settings.spread_s for name in ("offset_s", "window_offset_s"))
    ]
    if (
        abs(offset_s) < settings.from_s
        or len(agreeing) < settings.share * len(told)
        or _covered_us(agreeing) < settings.cover_s * 1e6
    ):
        return None
    return offset_s


def corrected(columns: Columns, offset_s: float, settings: CorrectionSettings) -> dict[str, float]:
    """What a window's columns become when its sound is moved by `offset_s`; those that were not measured there go.

    A window whose own best offset is another one keeps what it was, so that it is judged by that.
    """
    rest_s = columns.get("offset_s", float("nan")) - offset_s
    if not abs(rest_s) < settings.from_s:
        return dict(columns)
    in_place = columns_of(Evidence.SYNCHRONY) - frozenset(SyncScore.columns) | {"window_sync"}
    return {name: value for name, value in columns.items() if name not in in_place} | {
        "offset_s": rest_s,
        "sync_at_zero": columns["sync_peak"],
        "p_in_sync": columns["offset_confidence"],
    }


def _covered_us(spans_us: Sequence[tuple[int, int]]) -> int:
    covered, reached = 0, -1
    for start, end in sorted(spans_us):
        covered += max(0, end - max(start, reached))
        reached = max(reached, end)
    return covered
