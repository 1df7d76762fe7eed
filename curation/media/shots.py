"""Find cuts on the curves that the analysis has anyway: no second decode, no model.

A cut changes the colours of the whole picture and its luma at one frame, far beyond what the frames around it do. An
impact moves much but changes few colours; a flash changes the light for a few frames and then comes back [ours].
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from curation.media.settings import ShotSettings
from curation.media.timeline import Timeline

NEIGHBOURS = 12


def find_shots(timeline: Timeline, settings: ShotSettings | None = None) -> list[tuple[int, int]]:
    """The shots of a video as (start_us, end_us), covering it without gaps."""
    cuts = find_cuts(timeline.motion, timeline.colour_change, settings or ShotSettings())
    edges = [0, *(int(timeline.frame_us[cut]) for cut in cuts), timeline.duration_us]
    return list(pairwise(edges))


def find_cuts(
    motion: NDArray[np.float32], colour_change: NDArray[np.float32], settings: ShotSettings
) -> NDArray[np.int64]:
    """Indices of the frames that begin a new shot; `motion` and `colour_change` are (frames,)."""
    sudden = (
        (colour_change >= settings.colour_change)
        & (motion >= settings.motion)
        & (colour_change >= settings.prominence * _median_around(colour_change))
        & (motion >= settings.prominence * _median_around(motion))
    )
    return np.flatnonzero(sudden & _is_peak(colour_change))


def _median_around(curve: NDArray[np.float32]) -> NDArray[np.float32]:
    """(frames,) median of the neighbours of each frame, the frame itself left out."""
    padded = np.pad(curve, NEIGHBOURS, mode="reflect" if len(curve) > NEIGHBOURS else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1)
    return np.median(np.delete(windows, NEIGHBOURS, axis=1), axis=1)


def _is_peak(curve: NDArray[np.float32]) -> NDArray[np.bool_]:
    """A dissolve or a flash spreads over frames; only its strongest begins a shot."""
    before = np.concatenate([[-1.0], curve[:-1]])
    after = np.concatenate([curve[1:], [-1.0]])
    return (curve > before) & (curve >= after)
