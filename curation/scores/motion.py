"""How much the picture moves: all of it [pred], the region that moves most, and the camera [ours].

What sounds is often a twentieth of the picture, and means over all of it call a talking head a still. So a gate asks
for the region that moves most beyond what moves everywhere, and whether it is the camera that shakes.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from curation.media.timeline import Window
from curation.scores.base import Columns, Evidence, Need
from curation.scores.camera import camera_speed

FRAMES = 10


class MotionScore:
    """`motion_mean`, `motion_max`: 10 frames spread evenly, RGB in [0, 1]; mean absolute difference of neighbours, then
    mean and max of the 9 [pred]. They are the thumbnails nearest to ten instants: fewer where a short window has not so
    many, NaN below two. `local_motion`: mean luma difference between frames of the cell that moves most, beyond the
    median of all cells. `camera_motion`: median speed of the camera in pictures a second.
    """

    name = "motion"
    version = 3
    settings = ""
    needs = frozenset({Need.CURVES, Need.THUMBNAILS})
    columns = ("motion_mean", "motion_max", "local_motion", "camera_motion")
    evidence = Evidence.SIGNAL
    trends: ClassVar[Mapping[str, int]] = {}

    def check(self) -> None:
        """Always available."""

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window."""
        return [_of_all(window) | _of_cells(window) for window in batch]


def _of_all(window: Window) -> Columns:
    frames = window.thumbnails(FRAMES).astype(np.float32) / 255
    if len(frames) < 2:
        return dict.fromkeys(("motion_mean", "motion_max"), float("nan"))
    differences = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    return {"motion_mean": float(differences.mean()), "motion_max": float(differences.max())}


def _of_cells(window: Window) -> Columns:
    line, part = window.timeline, window.frames()
    # The first frame may lie behind a cut.
    moved = line.cell_motion[part][1:].astype(np.float64)
    if not len(moved):
        return dict.fromkeys(("local_motion", "camera_motion"), float("nan"))
    beyond = np.maximum(moved - np.median(moved, axis=(1, 2), keepdims=True), 0)
    return {
        "local_motion": float(beyond.mean(axis=0).max()),
        "camera_motion": camera_speed(line.cells[part], line.cell_motion[part], line.frame_us[part]),
    }
