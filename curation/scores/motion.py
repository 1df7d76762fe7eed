"""How much the picture moves: the predecessor's raw pixel difference [pred]."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from curation.media.timeline import Window
from curation.scores.base import Columns, Evidence, Need

FRAMES = 10


class MotionScore:
    """10 frames spread evenly, RGB in [0, 1]; mean absolute difference of neighbours, then mean and max of the 9.

    They are the thumbnails nearest to ten instants: fewer where a short window has not so many, NaN below two.
    """

    name = "motion"
    version = 2
    settings = ""
    needs = frozenset({Need.THUMBNAILS})
    columns = ("motion_mean", "motion_max")
    evidence = Evidence.SIGNAL
    trends: ClassVar[Mapping[str, int]] = {}

    def check(self) -> None:
        """Always available."""

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window."""
        return [_measure(window) for window in batch]


def _measure(window: Window) -> Columns:
    frames = window.thumbnails(FRAMES).astype(np.float32) / 255
    if len(frames) < 2:
        return dict.fromkeys(MotionScore.columns, float("nan"))
    differences = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    return {"motion_mean": float(differences.mean()), "motion_max": float(differences.max())}
