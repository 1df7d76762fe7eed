"""The camera: it shakes by whole pixels as if held in a hand, and pans and zooms slowly by parts of a pixel [ours]."""

import math

import numpy as np
from numpy.typing import NDArray

from training.world.events import generator

JOLT_SHARE = 0.06
TREMBLE = 0.15
PAN_SHARE = 0.7
SLOWEST_S, FASTEST_S = 9.0, 3.0

Frames = NDArray[np.uint8]


def shake_margin(reach_px: float) -> int:
    """How many pixels must be drawn around a picture that the camera moves by up to `reach_px`."""
    return math.ceil(reach_px)


def shaken(frames: Frames, *, reach_px: float, seed: int) -> Frames:
    """Crop the margin away along the path of a hand-held camera: a tremble, and jolts at times of its own.

    The camera moves by whole pixels, up to `reach_px` each way.
    """
    margin = shake_margin(reach_px)
    if not margin:
        return frames
    count, height, width = frames.shape[:3]
    random = generator(seed, "camera")
    rough = random.standard_normal((count, 2))
    starts = np.where(random.uniform(size=count) < JOLT_SHARE, 1.0, 0.0)
    jolts = np.convolve(starts, np.array((0.3, 0.8, 1.0, 0.5, 0.25)), mode="same")
    path = rough * (TREMBLE + np.minimum(jolts, 1.0))[:, None]
    steps = np.round(path / np.abs(path).max() * reach_px).astype(np.int64) + margin
    return np.stack(
        [
            frame[y : y + height - 2 * margin, x : x + width - 2 * margin]
            for frame, (y, x) in zip(frames, steps, strict=True)
        ]
    )


def pan_margin(reach_px: float) -> int:
    """How many pixels must be drawn around a picture that is panned by up to `reach_px`."""
    return math.ceil(reach_px)


def panned(frames: Frames, *, reach_px: float, fps: int, seed: int) -> Frames:
    """Crop the margin away along a slow path: panning and zooming, interpolated between pixels.

    Nothing in the picture is displaced by more than `reach_px` each way; `PAN_SHARE` of that is panning, the rest is
    what zooming adds at the edge.

    Args:
        frames: (frames, height + 2 margin, width + 2 margin, 3) RGB with the margin of `pan_margin`.
        reach_px: largest displacement.
        fps: frames a second.
        seed: decides the path.
    """
    margin = pan_margin(reach_px)
    if not margin:
        return frames
    random = generator(seed, "pan")
    height, width = (side - 2 * margin for side in frames.shape[1:3])
    down, across, zoom = (_slow_path(random, len(frames), fps) for _ in range(3))
    rows = _sampled(height, margin, PAN_SHARE * reach_px * down, (1 - PAN_SHARE) * reach_px * zoom)
    columns = _sampled(width, margin, PAN_SHARE * reach_px * across, (1 - PAN_SHARE) * reach_px * zoom)
    moved = np.empty((len(frames), height, width, 3), np.uint8)
    for place, (frame, ys, xs) in enumerate(zip(frames, rows, columns, strict=True)):
        between = _between(_between(frame.astype(np.float32), ys, axis=0), xs, axis=1)
        moved[place] = between + 0.5
    return moved


def _slow_path(random: np.random.Generator, count: int, fps: int) -> NDArray[np.float64]:
    """(frames,) within [-1, 1]: two slow waves whose lengths have no common measure with the strikes."""
    clock = np.arange(count) / fps
    lengths, phases = random.uniform(FASTEST_S, SLOWEST_S, 2), random.uniform(0, 2 * np.pi, 2)
    path: NDArray[np.float64] = np.sin(2 * np.pi * clock[:, None] / lengths + phases).mean(axis=1)
    return path


def _sampled(
    side: int, margin: int, shift_px: NDArray[np.float64], edge_px: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(frames, side) where each pixel of the finished picture lies in the drawn one."""
    span = np.linspace(-1, 1, side)
    return margin + np.arange(side) + shift_px[:, None] + edge_px[:, None] * span


def _between(pixels: NDArray[np.float32], places: NDArray[np.float64], *, axis: int) -> NDArray[np.float32]:
    """Linear interpolation of an image at `places` along one axis."""
    low = np.minimum(places.astype(np.int64), pixels.shape[axis] - 2)
    part = (places - low).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    first = pixels.take(low, axis)
    between: NDArray[np.float32] = first + part * (pixels.take(low + 1, axis) - first)
    return between
