"""Two bare hands clap; they open at the wrists like a book."""

import numpy as np

from training.world.canvas import Canvas
from training.world.events import Moment
from training.world.look import Look, paint_room
from training.world.scenes.base import Scene
from training.world.scenes.parts import rays, swing
from training.world.sounds import Wave, burst, normalised

SKIN = (0.97, 0.78, 0.63)
SHADE = (0.8, 0.56, 0.43)


def _backdrop(canvas: Canvas, look: Look) -> None:
    paint_room(canvas, look, horizon=0.9)


def _action(canvas: Canvas, look: Look, moment: Moment) -> None:
    canvas.glow((0.5, 0.36), 0.2, (1.0, 0.95, 0.8), 0.5 * moment.flash(0.09))
    for way in (-1, 1):
        apart = 0.13 * moment.lift()
        wrist, turn = (0.5 + way * (0.075 + apart), 0.72), way * 0.55 * moment.lift()

        def at(x: float, y: float) -> tuple[float, float]:
            return swing(wrist, (wrist[0] + way * x, y), turn)  # noqa: B023 - called within this turn of the loop

        canvas.capsule((0.5 + way * 0.32, 1.15), (wrist[0] + way * 0.01, 0.8), 0.085, look.accent)
        canvas.capsule(at(0.0, 0.74), at(0.0, 0.44), 0.068, SKIN)
        canvas.capsule(at(-0.012, 0.44), at(-0.035, 0.19), 0.036, SKIN)
        canvas.capsule(at(0.02, 0.46), at(0.0, 0.22), 0.034, SHADE)
        canvas.capsule(at(0.045, 0.5), at(0.04, 0.27), 0.03, SKIN)
        canvas.capsule(at(0.04, 0.64), at(0.1, 0.46), 0.03, SHADE)
    rays(canvas, (0.5, 0.14), moment, inner=0.05, colour=(1.0, 0.98, 0.85))


def _sound(random: np.random.Generator, rate_hz: int) -> Wave:
    slap = burst(random, (900, 3800), decay_s=0.022, length_s=0.18, rate_hz=rate_hz)
    snap = burst(random, (3000, 12000), decay_s=0.004, length_s=0.03, rate_hz=rate_hz)
    return normalised(slap, 0.8 * snap)


CLAP = Scene("clapping_hands", "two bare hands clap", _backdrop, _action, _sound)
