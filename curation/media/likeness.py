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
"""A cell whose luma stays within so many steps through the whole video is frame, bar or band, and says nothing."""

FEWEST_CELLS = 16

SHIFTS = 2
"""So many cells a jolt of the camera may move the picture, each way."""

FLAT = 0.7
"""A direction whose last coordinate is larger is of a picture without structure, like any other of its kind."""

FEW_PAIRS = 0.12
"""So many pairs of pictures across a cut may be alike: flashes on both sides of it [ours]."""

CHANGED = 0.4
"""A cell has changed when its luma, in usual deviations from the picture's middle, has by so much [ours]."""

Directions = NDArray[np.float32]


def telling_cells(cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(frames, telling) the cells that change at all; `cells` is (frames, rows, columns)."""
    flat = cells.reshape(len(cells), -1)
    telling = (flat.max(axis=0) - flat.min(axis=0)) >= SAME_LUMA
    return flat[:, telling] if telling.sum() >= FEWEST_CELLS else flat


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
    """The pair (after, before) than which only few are more alike; by it one sees whether what was before comes back."""
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
    """Share of the cells in which some pictures, (frames, cells), differ from others, at their medians over time."""
    return float((np.abs(_deviations(after) - _deviations(before)) > CHANGED).mean())


def _unlike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    here, there = directions(np.stack([one.ravel(), other.ravel()]))
    return 1 - float(here @ there)


def _deviations(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(cells,) the usual picture about its middle, in its own mean deviations, so that light does not count."""
    usual = np.median(pictures, axis=0)
    about = usual - np.median(usual)
    return np.asarray(about / (np.abs(about).mean() + GRAIN))
