"""Find cuts: where what comes after is unlike what was before, and stays so.

Frames that differ are where a cut may be; then every picture within reach after it is compared with every one before.
A flash, muzzle fire, lightning, a strobe or whatever passes the lens goes again, and two of those pictures are alike.
A caption or an inset changes a part of the picture, a jolt of the camera moves it by a little. A camera that moves fast
is unlike itself a moment ago on either side as well, so a cut has to stand out from that [ours].
"""

import numpy as np
from numpy.typing import NDArray

from curation.media.likeness import (
    Directions,
    directions,
    lasting_pair,
    share_changed,
    telling_cells,
    unlikeness_across,
    unlikeness_apart,
    unlikeness_moved,
)
from curation.media.settings import ShotSettings
from curation.media.timeline import Timeline

SOON_US = 150_000
"""What camera and actors do to the picture in this time is no cut; at 8 frames a second it repeats till then [ours]."""

CALM = 0.3
"""Of so many frames, the calmest, one goes by; in a strobe half of the others are lit [ours]."""

DISTURBANCES = 2
"""So many other steps within reach, a flash's two edges say, may be as large as a cut that stands out [ours]."""

NEAR_US = 250_000
"""Of cuts so near each other one is true: it may be blended over frames, or a flash may lie beside it [ours]."""

LEAST_STEP = 0.6
"""So much of the least unlikeness a frame must be unlike the one before; a flash may cover part of a cut [ours]."""

STILL = 0.06
"""A picture that travels less is still; only there may single pairs be alike, by flashes before and after [ours]."""

AT_ONCE = 0.6
"""Elsewhere the most alike pictures must be so much as unlike as most are: a pan gets there step by step [ours]."""

FEWEST_FRAMES = 3
"""Fewer frames at an end of the video do not show whether a flash begins there or another picture [ours]."""

LEAST_SHARE = 0.4
"""Least share of the cells that a cut changes; captions, insets and fireworks change fewer [ours]."""

MOVED = 0.7
"""So much of the least unlikeness must be left when the picture may have moved by two cells [ours]."""

OTHER_COLOURS = 0.45
"""No jolt changes the colours of a picture by so much [ours]."""


def find_cuts(timeline: Timeline, settings: ShotSettings) -> list[int]:
    """Indices of the frames that begin a new shot at once."""
    values = telling_cells(timeline.cells)
    steps = unlikeness_apart(values, 1)
    sudden = (
        (steps >= LEAST_STEP * settings.unlike)
        & (timeline.colour_change >= settings.colour_change)
        & (timeline.motion >= settings.motion)
    )
    lasting = {int(at): _lasting(timeline, values, steps, int(at), settings) for at in np.flatnonzero(sudden)}
    found = {at: unlike for at, unlike in lasting.items() if unlike}
    return [at for at in found if not any(_outdoes(found, other, at, timeline) for other in found)]


def _lasting(
    timeline: Timeline, values: NDArray[np.uint8], steps: NDArray[np.float32], at: int, settings: ShotSettings
) -> float:
    """How unlike what is within reach from frame `at` on stays what is before it; 0 where that is no cut."""
    first, last = within_reach(timeline.frame_us, at, settings)
    if min(at - first, last - at) < FEWEST_FRAMES:
        return 0.0
    pointing = directions(values[first:last])
    before, after = pointing[: at - first], pointing[at - first :]
    across = unlikeness_across(before, after)
    one, other = lasting_pair(across)
    unlike = float(across[one, other])
    if unlike < settings.unlike:
        return 0.0
    lag = max(1, round(SOON_US / float(np.median(np.diff(timeline.frame_us[first:last])))))
    travelled = max(_travelled(side, lag) for side in (before, after))
    if travelled > STILL and np.nanmin(across) < AT_ONCE * unlike:
        return 0.0
    others = np.sort(np.delete(steps[first + 1 : last], at - first - 1))[::-1]
    usual = others[DISTURBANCES] if len(others) > DISTURBANCES else 0.0
    if unlike < settings.stands_out * travelled and steps[at] < settings.stands_out * usual:
        return 0.0
    if share_changed(values[first:at], values[at:last]) < LEAST_SHARE:
        return 0.0
    moved = unlikeness_moved(timeline.cells[first + other], timeline.cells[at + one])
    if moved < MOVED * settings.unlike and timeline.colour_change[at] < OTHER_COLOURS:
        return 0.0
    return unlike


def within_reach(frame_us: NDArray[np.int64], at: int, settings: ShotSettings) -> tuple[int, int]:
    """The range of frames within reach of frame `at`."""
    reach_us = round(settings.reach_s * 1_000_000)
    first, last = np.searchsorted(frame_us, (frame_us[at] - reach_us, frame_us[at] + reach_us + 1))
    return int(first), int(last)


def _travelled(side: Directions, lag: int) -> float:
    """How unlike all that is `lag` frames away or more the pictures on one side of a cut usually are.

    The nearest of those counts, so that a flash between two like pictures is no travel.
    """
    if len(side) <= lag:
        return 0.0
    number = np.arange(len(side))
    apart = np.abs(number[:, None] - number[None, :]) >= lag
    nearest = np.where(apart, 1 - side @ side.T, np.inf).min(axis=1)
    return float(np.quantile(nearest[np.isfinite(nearest)], CALM))


def _outdoes(found: dict[int, float], other: int, at: int, timeline: Timeline) -> bool:
    """Whether what was before comes back even less after another cut so near."""
    near = other != at and abs(int(timeline.frame_us[other] - timeline.frame_us[at])) <= NEAR_US
    return near and (found[other], -other) > (found[at], -at)
