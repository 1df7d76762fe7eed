"""The shots of a video, found on what the analysis has anyway: no second decode, no model.

A shot ends at a cut, in a dissolve, where the stream changes its size or its clock begins anew, and where a fade ends
or begins in black [ours].
"""

from itertools import pairwise

import numpy as np

from curation.media.cuts import find_cuts
from curation.media.dissolves import find_dissolves
from curation.media.likeness import directions, telling_cells
from curation.media.settings import ShotSettings
from curation.media.timeline import Timeline

BLACK_FRAMES = 3
"""A shorter black is where one shot ends and another begins; a longer one is a shot of its own [ours]."""

SCENE_FRAMES = 24
"""So far around a black frame one looks for a bright one: in a dark scene black says nothing [ours]."""


def find_shots(timeline: Timeline, settings: ShotSettings | None = None) -> list[tuple[int, int]]:
    """The shots of a video as (start_us, end_us), covering it without gaps.

    A dissolve is a short shot of its own, so that a window that holds any of it runs over an edge.
    """
    settings = settings or ShotSettings()
    told = map(int, (*timeline.resized, *timeline.seams))
    cuts = {*find_cuts(timeline, settings), *find_black(timeline, settings), *told}
    # What fades to or from a cut is a flash beside it.
    dissolves = [
        span for span in find_dissolves(timeline, settings) if not any(span[0] <= at <= span[1] for at in cuts)
    ]
    cuts.update(*dissolves)
    edges = [0, *(int(timeline.frame_us[cut]) for cut in sorted(cuts) if cut > 0), timeline.duration_us]
    return list(pairwise(edges))


def find_black(timeline: Timeline, settings: ShotSettings) -> list[int]:
    """Indices of the frames at which a bright picture goes black or comes back, blackouts left out."""
    luma = timeline.luma
    edges = np.flatnonzero(np.diff(np.concatenate([[False], luma < settings.black, [False]]).astype(np.int8)))
    found = []
    for first, last in edges.reshape(-1, 2):
        bright = luma[max(0, first - SCENE_FRAMES) : last + SCENE_FRAMES].max() >= 2 * settings.black
        if bright and not _is_blackout(timeline, int(first), int(last), settings):
            ends = (first, last) if last - first >= BLACK_FRAMES else (first,)
            found += [int(at) for at in ends if 0 < at < len(luma)]
    return found


def _is_blackout(timeline: Timeline, first: int, last: int, settings: ShotSettings) -> bool:
    """Whether a short black comes and goes at once and the same picture is there again: lamps that fail, a strobe."""
    luma, frame_us = timeline.luma, timeline.frame_us
    if first == 0 or last == len(luma) or frame_us[last] - frame_us[first] > settings.reach_s * 1_000_000:
        return False
    if min(luma[first - 1], luma[last]) < 2 * settings.black:
        return False
    before, after = directions(telling_cells(timeline.cells)[[first - 1, last]])
    return 1 - float(before @ after) < settings.unlike
