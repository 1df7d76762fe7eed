"""How the camera moves: the one shift of the whole picture that explains most of its change [ours].

Least squares on the optical flow equation over the 12 x 12 cells of luma (Lucas and Kanade, 1981, with one shift for
all). Cells are coarse, so a shift of a third of a cell a frame is still told, and what moves within one cell hardly
counts. Nothing is decoded for it.
"""

import numpy as np
from numpy.typing import NDArray

PLAIN = 4.0
"""Squared grey levels that a picture's gradients must exceed for a shift to be told: a plain wall has none."""

STILL = 0.003
"""Mean luma difference of a cell that is noise. Where most cells are that still, a thing moves and not the camera."""


def camera_shift(cells: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(frames - 1, 2) shift to the right and down between neighbouring frames of (frames, 12, 12) cells, as shares of
    the picture's width and height."""
    luma = cells.astype(np.float64)
    inner = (slice(None), slice(1, -1), slice(1, -1))
    along = (luma[:, 1:-1, 2:] - luma[:, 1:-1, :-2]) / 2
    down = (luma[:, 2:, 1:-1] - luma[:, :-2, 1:-1]) / 2
    along, down = ((one[1:] + one[:-1]) / 2 for one in (along, down))
    change = np.diff(luma, axis=0)[inner]
    xx, yy, xy, xt, yt = (
        (one * other).sum(axis=(1, 2))
        for one, other in ((along, along), (down, down), (along, down), (along, change), (down, change))
    )
    xx, yy = xx + PLAIN, yy + PLAIN
    solved = np.stack([xy * yt - yy * xt, xy * xt - xx * yt], axis=1) / (xx * yy - xy**2)[:, None]
    return np.asarray(solved / cells.shape[1])


def camera_speed(cells: NDArray[np.uint8], cell_motion: NDArray[np.floating], frame_us: NDArray[np.int64]) -> float:
    """Median speed of the camera in pictures a second, of (frames, 12, 12) cells and how much each moved, at (frames,)
    times; 0 below two frames."""
    if len(cells) < 2:
        return 0.0
    seconds = np.maximum(np.diff(frame_us), 1) / 1e6
    moves = np.median(cell_motion[1:], axis=(1, 2)) > STILL
    return float(np.median(np.hypot(*camera_shift(cells).T) / seconds * moves))
