"""The pictures of a film: a backdrop painted once, the action on a copy of it for every frame, then the camera."""

import math

import numpy as np
from numpy.typing import NDArray

from training.world.canvas import Canvas
from training.world.events import Strikes, generator
from training.world.look import choose_look
from training.world.scenes.base import Scene

JOLT_SHARE = 0.06
TREMBLE = 0.15

Frames = NDArray[np.uint8]


def film_act(
    scene: Scene,
    strikes: Strikes,
    *,
    frames: NDArray[np.int64],
    fps: int,
    size_px: tuple[int, int],
    margin_px: int,
    seed: int,
) -> Frames:
    """Draw the named frames of one scene.

    Args:
        scene: what to draw.
        strikes: when it strikes.
        frames: (frames,) frame numbers; a number that repeats the one before is drawn once.
        fps: frames a second.
        size_px: height and width of the finished picture.
        margin_px: drawn around it on all sides, for the camera to move in.
        seed: colours and framing.

    Returns:
        (frames, height + 2 margin, width + 2 margin, 3) uint8 RGB.
    """
    height, width = size_px[0] + 2 * margin_px, size_px[1] + 2 * margin_px
    look = choose_look(seed)
    still = Canvas(np.zeros((height, width, 3), np.float32), unit_px=min(size_px), view=look.view)
    scene.backdrop(still, look)
    live = still.over(np.empty_like(still.pixels))
    drawn = np.empty((len(frames), height, width, 3), np.uint8)
    for place, number in enumerate(frames):
        if place and number == frames[place - 1]:
            drawn[place] = drawn[place - 1]
            continue
        np.copyto(live.pixels, still.pixels)
        scene.action(live, look, strikes.at(int(number) / fps))
        np.clip(live.pixels, 0.0, 1.0, out=live.pixels)
        drawn[place] = live.pixels * 255.0 + 0.5
    return drawn


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
