"""What moves where: three curves of each of some two hundred overlapping regions of the picture [ours].

The event is often a twentieth of the picture, and not at a cell's middle: regions are squares of 2 x 2 and of 4 x 4
cells, a cell apart. A region's motion is taken as a logarithm, since the ear and the eye count by ratios and one swing
of a curtain must not outweigh ten small strokes. Where motion stops there is the blow: a hammer is fastest before it
lands. And a mouth that opens gets dark: the level itself follows the voice. The camera's motion is not taken out: on
film that told less.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from curation.media.timeline import Timeline
from curation.scores.synchrony.clock import Curves, at_ticks, events, ticks_us

SIDES = (2, 4)
"""Cells of a region, each way."""

STILL_MOTION = 0.003
"""Mean luma difference that is noise of camera and codec: about a grey level."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The events of each region, on the 50 Hz clock.

    Attributes:
        motion: (regions, ticks) the logarithm of how much moves.
        stops: (regions, ticks) how fast motion falls.
        level: (regions, ticks) mean luma.
    """

    motion: Curves
    stops: Curves
    level: Curves

    def within(self, first: int, last: int) -> "Seen":
        """The ticks from `first` up to `last`."""
        return Seen(self.motion[:, first:last], self.stops[:, first:last], self.level[:, first:last])


def seen(line: Timeline, start_us: int, end_us: int) -> Seen:
    """The events of a span of a video."""
    from scipy.ndimage import gaussian_filter1d

    ticks = ticks_us(start_us, end_us)
    part = slice(*np.searchsorted(line.frame_us, (start_us, end_us)))
    frame_us = line.frame_us[part].astype(np.float64)
    # A frame's motion happened between it and the frame before.
    middle_us = frame_us - np.diff(frame_us, prepend=frame_us[:1]) / 2
    moved = line.cell_motion[part].astype(np.float64)
    # What the first frame differs from lies before the span, behind a cut perhaps.
    moved[:1] = moved[1:2]
    motion = _pooled(at_ticks(moved, middle_us, ticks))
    level = _pooled(at_ticks(line.cells[part] / 255.0, frame_us, ticks))
    change = np.diff(gaussian_filter1d(motion, 1.0, axis=-1), axis=-1, prepend=motion[:, :1]) if len(ticks) else motion
    return Seen(motion=events(np.log(motion + STILL_MOTION)), stops=events(np.maximum(-change, 0)), level=events(level))


@cache
def boxes() -> NDArray[np.float64]:
    """(regions, 3) left, top and side of each region, as shares of the picture's width and height."""
    return np.array([(x / 12, y / 12, side / 12) for side in SIDES for y in range(13 - side) for x in range(13 - side)])


def _pooled(cells: Curves) -> Curves:
    """(regions, ticks) means over the regions of (ticks, 12, 12), in the order of `boxes`."""
    sums = np.pad(cells.cumsum(axis=1).cumsum(axis=2), ((0, 0), (1, 0), (1, 0)))
    found = [
        (sums[:, n:, n:] - sums[:, :-n, n:] - sums[:, n:, :-n] + sums[:, :-n, :-n]).reshape(len(cells), -1) / n**2
        for n in SIDES
    ]
    return np.ascontiguousarray(np.concatenate(found, axis=1).T)
