"""Find cuts on the curves that the analysis has anyway: no second decode, no model.

A cut changes the colours of the whole picture and its luma at one frame, far beyond what the frames around it do. An
impact moves much but changes few colours; a flash changes the light for a few frames and then comes back. A fade ends
or begins in black. Dissolves leave no mark on these curves and are not found [ours].
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from curation.media.settings import ShotSettings
from curation.media.timeline import Timeline

NEIGHBOURS = 12
ALONE_MOTION = 1.2
"""How many times the largest of its neighbours the luma difference of a frame must be that stands alone [ours]."""

BLACK_FRAMES = 3
"""A shorter black is where one shot ends and another begins; a longer one is a shot of its own [ours]."""


def find_shots(timeline: Timeline, settings: ShotSettings | None = None) -> list[tuple[int, int]]:
    """The shots of a video as (start_us, end_us), covering it without gaps."""
    settings = settings or ShotSettings()
    sudden = find_cuts(timeline.motion, timeline.colour_change, settings)
    cuts = sorted({*map(int, sudden), *find_black(timeline.luma, settings)})
    edges = [0, *(int(timeline.frame_us[cut]) for cut in cuts), timeline.duration_us]
    return list(pairwise(edges))


def find_cuts(
    motion: NDArray[np.float32], colour_change: NDArray[np.float32], settings: ShotSettings
) -> NDArray[np.int64]:
    """Indices of the frames that begin a new shot; `motion` and `colour_change` are (frames,)."""
    around = [_neighbours(curve) for curve in (colour_change, motion)]
    change_median, motion_median = (np.median(one, axis=1) for one in around)
    change_most, motion_most = (one.max(axis=1) for one in around)
    sudden = (
        (colour_change >= settings.colour_change)
        & (motion >= settings.motion)
        & (colour_change >= settings.prominence * change_median)
        & (motion >= settings.prominence * motion_median)
    )
    sure = (colour_change >= settings.sure_colour_change) | (motion >= settings.sure_motion)
    alone = (colour_change >= settings.alone * change_most) & (motion >= ALONE_MOTION * motion_most)
    return np.flatnonzero(sudden & (sure | alone) & _is_peak(colour_change))


def find_black(luma: NDArray[np.float32], settings: ShotSettings) -> list[int]:
    """Indices of the frames at which a bright picture goes black or comes back; `luma` is (frames,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], luma < settings.black, [False]]).astype(np.int8)))
    found = []
    for first, last in edges.reshape(-1, 2):
        # In a dark scene black says nothing.
        if luma[max(0, first - 2 * NEIGHBOURS) : last + 2 * NEIGHBOURS].max() >= 2 * settings.black:
            ends = (first, last) if last - first >= BLACK_FRAMES else (first,)
            found += [int(at) for at in ends if 0 < at < len(luma)]
    return found


def _neighbours(curve: NDArray[np.float32]) -> NDArray[np.float32]:
    """(frames, 2 NEIGHBOURS) the neighbours of each frame, the frame itself left out."""
    padded = np.pad(curve, NEIGHBOURS, mode="reflect" if len(curve) > NEIGHBOURS else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1)
    return np.delete(windows, NEIGHBOURS, axis=1)


def _is_peak(curve: NDArray[np.float32]) -> NDArray[np.bool_]:
    """A dissolve or a flash spreads over frames; only its strongest begins a shot."""
    before = np.concatenate([[-1.0], curve[:-1]])
    after = np.concatenate([curve[1:], [-1.0]])
    return (curve > before) & (curve >= after)
