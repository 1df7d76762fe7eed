"""How alike two pictures are, by the cells of their luma: whatever the light does, the same scene is the same picture.

A picture becomes a direction: its cells about their mean, scaled to length one. Light that changes everywhere by a
factor or a step turns it little; another scene points elsewhere. One more coordinate of `GRAIN` keeps the noise of a
flat picture from pointing anywhere: two flat pictures are alike, a flat and a structured one are not [ours].
"""

import numpy as np
from numpy.typing import NDArray

GRAIN = 4.0
"""Steps of luma; structure fainter than this is taken for noise."""

SAME_LUMA = 8
"""Rows and columns whose luma stays within so many steps through the whole video are bars around the picture."""

FEWEST_CELLS = 16

SHIFTS = 2
"""So many cells a jolt of the camera may move the picture, each way."""

FLAT = 0.7
"""A direction whose last coordinate is larger is of a picture without structure, like any other of its kind."""

FEW_PAIRS = 0.12
"""So many pairs of pictures across a cut may be alike: flashes on both sides of it [ours]."""

CHANGED = 0.4
"""A cell has changed when its luma has by so much of the picture's usual deviation from its middle [ours]."""

LIGHT_ROUNDS = 3

Directions = NDArray[np.float32]


def telling_cells(cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(frames, telling) the cells within the bars around a picture; `cells` is (frames, rows, columns)."""
    changing = (cells.max(axis=0) - cells.min(axis=0)) >= SAME_LUMA
    if changing.sum() < FEWEST_CELLS:
        return cells.reshape(len(cells), -1)
    rows, columns = (np.flatnonzero(changing.any(axis=axis)) for axis in (1, 0))
    inside = cells[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return inside.reshape(len(cells), -1)


def directions(values: NDArray[np.uint8] | NDArray[np.float32]) -> Directions:
    """(frames, telling + 1) unit vectors of pictures given by their telling cells."""
    centred = values.astype(np.float32)
    centred -= centred.mean(axis=1, keepdims=True)
    centred /= np.sqrt(np.float32(values.shape[1]))
    pointing = np.pad(centred, ((0, 0), (0, 1)), constant_values=GRAIN)
    return np.asarray(pointing / np.linalg.norm(pointing, axis=1, keepdims=True), np.float32)


def unlikeness_apart(values: NDArray[np.uint8], lag: int) -> NDArray[np.float32]:
    """(frames,) in [0, 2]: how unlike each picture is the one `lag` frames before; 0 for the first `lag`."""
    result = np.zeros(len(values), np.float32)
    # In pieces: the directions of hours of video would not fit into a worker's memory.
    for first in range(lag, len(values), 8192):
        piece = directions(values[first - lag : first + 8192])
        result[first : first + 8192] = 1 - np.einsum("fc,fc->f", piece[lag:], piece[:-lag])
    return result


def unlikeness_across(before: Directions, after: Directions) -> NDArray[np.float32]:
    """(after, before) how unlike each picture after is each before; NaN for flat ones, unless a side has only such."""
    unlike = 1 - after @ before.T
    for side, pairs in ((after, unlike), (before, unlike.T)):
        flat = side[:, -1] > FLAT
        if not flat.all():
            pairs[flat] = np.nan
    return unlike


def lasting_pair(across: NDArray[np.float32]) -> tuple[int, int]:
    """The pair (after, before) than which only few are more alike: it tells whether what was before comes back."""
    order = np.argsort(across, axis=None)
    known = int(np.isfinite(across).sum())
    after, before = np.unravel_index(order[int(FEW_PAIRS * (known - 1))], across.shape)
    return int(after), int(before)


def unlikeness_moved(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """How unlike two pictures, (rows, columns) of cells, are at best if one may have moved by up to `SHIFTS` cells."""
    rows, columns = one.shape
    shifts = range(-SHIFTS, SHIFTS + 1)
    return min(
        _unlike(
            one[max(0, down) : rows + min(0, down), max(0, right) : columns + min(0, right)],
            other[max(0, -down) : rows + min(0, -down), max(0, -right) : columns + min(0, -right)],
        )
        for down in shifts
        for right in shifts
    )


def share_changed(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """Share of the cells in which some pictures, (frames, cells), differ from others, at their medians over time.

    Light that changes all of them alike does not count: it is found on those that agree best, by least squares.
    """
    one, other = (np.median(pictures, axis=0) for pictures in (before, after))
    return max(_share_off(one, other), _share_off(other, one))


def _share_off(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    off = np.abs(other - one - np.median(other - one))
    for _ in range(LIGHT_ROUNDS):
        kept = off <= np.median(off)
        here, there = one[kept] - one[kept].mean(), other[kept] - other[kept].mean()
        gain = max(float(here @ there) / (float(here @ here) + GRAIN**2 * len(here)), 0.0)
        off = np.abs(other - other[kept].mean() - gain * (one - one[kept].mean()))
    spread = np.abs(other - np.median(other)).mean()
    return float((off > CHANGED * (spread + GRAIN)).mean())


def _unlike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    here, there = directions(np.stack([one.ravel(), other.ravel()]))
    return 1 - float(here @ there)
