"""Find dissolves on the cells: between two unlike pictures every frame is a mixture, steadily more of the second.

A camera that turns from one view to the other shows a third between them, which no mixture of the two is; a cut shows
nothing between them [ours].
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.media.cuts import within_reach
from curation.media.likeness import (
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

SHORTEST_S = 0.3
"""A shorter one looks like a cut, and is found as one."""

LONGER = 1.4
"""Ratio of two lengths that are looked for."""

LOOKS = 8
"""So many times a length one looks within it."""

LEFT_OVER = 0.05
"""So much of the difference of the two pictures, by its square, a frame between may be off their mixture [ours]."""

LARGEST_STEP = 0.35
"""Most of the way from one picture to the other that one frame may take [ours]."""

LEAST_MIXED = 0.2
"""Frames with so much of either picture must be there, or nothing was mixed [ours]."""

FEWEST_MIXED = 3

LEAST_SHARE = 0.5
"""Least share of the cells that it changes; a limb or a light that moves slowly changes fewer [ours]."""

LEAST_MOVED = 0.2
"""How unlike the two pictures must stay if the camera may have moved by two cells [ours]."""

BEGUN = 0.05
"""Share of the other picture from which a dissolve has begun."""


@dataclass(frozen=True, slots=True)
class _Fit:
    """A span of frames that are mixtures of its two ends."""

    first: int
    last: int


def find_dissolves(timeline: Timeline, settings: ShotSettings) -> list[tuple[int, int]]:
    """The dissolves as (first, last) indices of frames: the last pure one before, the first pure one after."""
    if len(timeline.frame_us) < 2 * FEWEST_MIXED or not settings.dissolve_s:
        return []
    values = telling_cells(timeline.cells)
    spans: list[tuple[int, int]] = []
    for fit in sorted(_fits(values, timeline, settings), key=lambda one: one.first):
        if not _is_another_picture(values, timeline, fit, settings):
            continue
        if spans and fit.first <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], fit.last))
        else:
            spans.append((fit.first, fit.last))
    return spans


def _is_another_picture(values: NDArray[np.uint8], timeline: Timeline, fit: _Fit, settings: ShotSettings) -> bool:
    """Whether the whole picture is another one from then on, not moved a little, nor lit by a flash that dies away."""
    before = values[within_reach(timeline.frame_us, fit.first, settings)[0] : fit.first + 1]
    after = values[fit.last : within_reach(timeline.frame_us, fit.last, settings)[1]]
    if share_changed(before, after) < LEAST_SHARE:
        return False
    across = unlikeness_across(directions(before), directions(after))
    if across[lasting_pair(across)] < settings.dissolve_unlike:
        return False
    return unlikeness_moved(timeline.cells[fit.first], timeline.cells[fit.last]) >= LEAST_MOVED


def _fits(values: NDArray[np.uint8], timeline: Timeline, settings: ShotSettings) -> Iterator[_Fit]:
    """Every span that is a dissolve, many of them several times."""
    frame_s = float(np.median(np.diff(timeline.frame_us))) / 1e6
    length_s = SHORTEST_S
    while length_s <= settings.dissolve_s * LONGER:
        lag = max(FEWEST_MIXED + 1, round(length_s / frame_s))
        unlike = unlikeness_apart(values, lag)
        for last in range(lag, len(values), max(1, lag // LOOKS)):
            if unlike[last] >= settings.dissolve_unlike:
                fit = _mixture(values[last - lag : last + 1].astype(np.float32), last - lag)
                if fit:
                    yield fit
        length_s *= LONGER


def _mixture(pictures: NDArray[np.float32], at: int) -> _Fit | None:
    """The part of `pictures` (frames, cells), which begin at frame `at`, that fades from its first to its last."""
    way = pictures[-1] - pictures[0]
    size = float(way @ way)
    share = (pictures - pictures[0]) @ way / max(size, 1.0)
    mixed = (share >= LEAST_MIXED) & (share <= 1 - LEAST_MIXED)
    steps = np.diff(share)
    if mixed.sum() < FEWEST_MIXED or steps.max() > LARGEST_STEP or steps.min() < -LEAST_MIXED / 2:
        return None
    off = pictures - pictures[0] - share[:, None] * way
    if (off[mixed] ** 2).sum(axis=1).max() > LEFT_OVER * size:
        return None
    first = int(np.flatnonzero(share > BEGUN)[0]) - 1
    last = int(np.flatnonzero(share < 1 - BEGUN)[-1]) + 1
    return _Fit(at + first, at + last)
