"""Find cuts: where what comes after is unlike what was before, and stays so.

Frames that differ are where a cut may be; then every picture within reach after it is compared with every one before.
A flash, muzzle fire, lightning, a strobe or whatever passes the lens goes again, and two of those pictures are alike.
A caption or an inset changes a part of the picture, a jolt of the camera moves it by a little. A camera that moves fast
is unlike itself a moment ago on either side as well, so a cut has to stand out from that [ours].
"""

import numpy as np
from numpy.typing import NDArray

from curation.media.likeness import Directions, directions, share_changed, telling_cells, unlikeness_apart, unlikeness_moved
from curation.media.settings import ShotSettings
from curation.media.timeline import Timeline

SOON_US = 150_000
"""What camera and actors do to the picture in this time is no cut; at 8 frames a second it repeats till then [ours]."""

DISTURBANCES = 2
"""So many other steps within reach, a flash's two edges say, may be as large as a cut that stands out [ours]."""

SMEARED_FRAMES = 2
"""A cut may be blended over so many frames, by conversions of the rate; its strongest step begins the shot [ours]."""

LEAST_SHARE = 0.4
"""Least share of the cells that a cut changes; captions, insets and fireworks change fewer [ours]."""

MOVED = 0.7
"""So much of the least unlikeness must be left when the picture may have moved by two cells [ours]."""


def find_cuts(timeline: Timeline, settings: ShotSettings) -> list[int]:
    """Indices of the frames that begin a new shot at once."""
    values = telling_cells(timeline.cells)
    steps = unlikeness_apart(values, 1)
    sudden = (
        (steps >= settings.unlike)
        & (timeline.colour_change >= settings.colour_change)
        & (timeline.motion >= settings.motion)
    )
    found = [int(at) for at in np.flatnonzero(sudden) if _is_cut(timeline, values, steps, int(at), settings)]
    return [at for at in found if not any(_outdoes(other, at, steps) for other in found)]


def _is_cut(
    timeline: Timeline, values: NDArray[np.uint8], steps: NDArray[np.float32], at: int, settings: ShotSettings
) -> bool:
    """Whether all pictures within reach from frame `at` on are unlike all before it."""
    frame_us = timeline.frame_us
    reach_us = round(settings.reach_s * 1_000_000)
    first, last = map(int, np.searchsorted(frame_us, (frame_us[at] - reach_us, frame_us[at] + reach_us + 1)))
    first = min(first, at - 1)
    pointing = directions(values[first:last])
    before, after = pointing[: at - first], pointing[at - first :]
    unlike = 1 - after @ before.T
    if unlike.min() < settings.unlike or share_changed(values[first:at], values[at:last]) < LEAST_SHARE:
        return False
    one, other = np.unravel_index(int(unlike.argmin()), unlike.shape)
    if unlikeness_moved(timeline.cells[first + other], timeline.cells[at + one]) < MOVED * settings.unlike:
        return False
    lag = max(1, round(SOON_US / float(np.median(np.diff(frame_us[first:last])))))
    travelled = max(_travelled(side, lag) for side in (before, after))
    others = np.sort(np.delete(steps[first + 1 : last], at - first - 1))[::-1]
    usual = others[DISTURBANCES] if len(others) > DISTURBANCES else 0.0
    return bool(unlike.min() >= settings.stands_out * travelled or steps[at] >= settings.stands_out * usual)


def _travelled(side: Directions, lag: int) -> float:
    """How unlike itself one side of a cut usually is `lag` frames later."""
    if len(side) <= lag:
        return 0.0
    return float(np.median(1 - np.einsum("fc,fc->f", side[lag:], side[:-lag])))


def _outdoes(other: int, at: int, steps: NDArray[np.float32]) -> bool:
    """Whether another step so near is the one that begins the shot."""
    return 0 < abs(other - at) <= SMEARED_FRAMES and (steps[other], -other) > (steps[at], -at)
