"""A sound that is late by the same amount all through a video is not wrong, only misplaced: find that amount.

One window can agree with itself at a wrong lag by chance. So the offset must be found, confidently, by windows that
together cover more than any of them; they must agree to within half a frame, and sound and motion must be much alike
there: of all lags within a second, one fits foreign sound by chance [ours].
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
    spread_s: float = Field(0.02, gt=0, description="windows must agree on the offset to within this")
    likeness: float = Field(0.7, ge=0, le=1, description="least `sync` of the middle one of the windows that agree")
    confidence: float = Field(0.8, ge=0, le=1, description="least posterior mass at a window's offset to be heard")
    share: float = Field(0.75, gt=0, le=1, description="of the confident windows, so many must agree")
    cover_s: float = Field(4.5, gt=0, description="the windows that agree must cover so much of the video")


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
        if columns.get("sync_confidence", 0.0) >= settings.confidence
    ]
    if not settings.enabled or not told:
        return None
    offset_s = float(np.median([columns["offset_s"] for columns, _ in told]))
    agreeing = [(columns, span) for columns, span in told if abs(columns["offset_s"] - offset_s) <= settings.spread_s]
    if (
        abs(offset_s) < settings.from_s
        or len(agreeing) < settings.share * len(told)
        or _covered_us([span for _, span in agreeing]) < settings.cover_s * 1e6
        or float(np.median([columns["sync"] for columns, _ in agreeing])) < settings.likeness
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
    in_place = columns_of(Evidence.SYNCHRONY) - frozenset(SyncScore.columns)
    return {name: value for name, value in columns.items() if name not in in_place} | {
        "offset_s": rest_s,
        "sync_at_zero": columns["sync"],
        "p_in_sync": columns["sync_confidence"],
    }


def _covered_us(spans_us: Sequence[tuple[int, int]]) -> int:
    covered, reached = 0, -1
    for start, end in sorted(spans_us):
        covered += max(0, end - max(start, reached))
        reached = max(reached, end)
    return covered
