"""The pictures of a film: a backdrop painted once, the action on a copy of it for every frame.

What dresses a film up (texture, lamp, things that move without a sound) is painted here too; the camera comes after,
in `camera`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.world.canvas import Canvas
from training.world.distractors import choose_distractors
from training.world.events import Strikes
from training.world.lamp import choose_lamp
from training.world.look import choose_look
from training.world.scenes.base import Scene

Frames = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dressing:
    """What a scene is surrounded with; by default with nothing.

    Attributes:
        texture: strength of the pattern on wall and floor, 0 to 1.
        lamp: strength of the drifting light, 0 to 1.
        distractors: number of things that move without a sound.
    """

    texture: float = 0.0
    lamp: float = 0.0
    distractors: int = 0


PLAIN = Dressing()


def film_act(
    scene: Scene,
    strikes: Strikes,
    *,
    frames: NDArray[np.int64],
    fps: int,
    size_px: tuple[int, int],
    margin_px: int,
    seed: int,
    dressing: Dressing = PLAIN,
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
        dressing: what surrounds the scene.

    Returns:
        (frames, height + 2 margin, width + 2 margin, 3) uint8 RGB.
    """
    height, width = size_px[0] + 2 * margin_px, size_px[1] + 2 * margin_px
    look = choose_look(seed, texture=dressing.texture)
    lamp = choose_lamp(seed, strength=dressing.lamp)
    things = choose_distractors(
        seed, count=dressing.distractors, strikes=strikes, duration_s=(int(frames[-1]) + 1) / fps, fps=fps
    )
    still = Canvas.blank(height, width, unit_px=min(size_px), view=look.view)
    scene.backdrop(still, look)
    live = still.over(np.empty_like(still.pixels))
    drawn = np.empty((len(frames), height, width, 3), np.uint8)
    for place, number in enumerate(frames):
        if place and number == frames[place - 1]:
            drawn[place] = drawn[place - 1]
            continue
        np.copyto(live.pixels, still.pixels)
        moment = strikes.at(int(number) / fps)
        for thing in things:
            thing.paint(live, moment.time_s)
        scene.action(live, look, moment)
        if lamp:
            lamp.shine(live, moment.time_s)
        np.clip(live.pixels, 0.0, 1.0, out=live.pixels)
        drawn[place] = live.pixels * 255.0 + 0.5
    return drawn
