"""Two hands clap wooden blocks together."""

import numpy as np

from training.world.canvas import Canvas
from training.world.events import Moment
from training.world.look import Look, paint_room
from training.world.scenes.base import Scene
from training.world.scenes.parts import rays
from training.world.sounds import Wave, burst, normalised, partials

SKIN = (0.93, 0.73, 0.58)
WOODS = ((0.82, 0.58, 0.32), (0.72, 0.46, 0.24))


def _backdrop(canvas: Canvas, look: Look) -> None:
    paint_room(canvas, look, horizon=0.88)


def _action(canvas: Canvas, look: Look, moment: Moment) -> None:
    away = 0.15 * moment.lift()
    dip = 0.05 * moment.lift()
    canvas.glow((0.5, 0.48), 0.18, (1.0, 0.95, 0.8), 0.4 * moment.flash(0.09))
    for way, wood in zip((-1, 1), WOODS, strict=True):
        inner, outer = 0.5 + way * away, 0.5 + way * (away + 0.15)
        top, bottom = 0.28 + dip, 0.7 + dip
        canvas.capsule((outer + way * 0.34, 1.1), (outer + way * 0.08, 0.56 + dip), 0.085, look.accent)
        middle = (inner + outer) / 2
        canvas.slab((middle, top), (middle, bottom), 0.075, wood, corner=0.02)
        for grain in (0.3, 0.62):
            line = inner + way * 0.15 * grain
            canvas.capsule((line, top + 0.05), (line, bottom - 0.05), 0.005, (0.5, 0.32, 0.17), alpha=0.6)
        for finger in range(4):
            y = 0.4 + dip + finger * 0.058
            canvas.capsule((outer + way * 0.03, y), (middle + way * 0.01, y), 0.03, SKIN)
        canvas.capsule((outer + way * 0.05, 0.42 + dip), (outer + way * 0.05, 0.56 + dip), 0.06, SKIN)
    rays(canvas, (0.5, 0.24), moment, inner=0.04, colour=(1.0, 0.98, 0.85))


def _sound(random: np.random.Generator, rate_hz: int) -> Wave:
    base = 1150 * random.uniform(0.97, 1.03)
    knock = partials((base, base * 1.62, base * 2.6), (0.045, 0.03, 0.02), length_s=0.3, rate_hz=rate_hz)
    crack = burst(random, (1500, 10000), decay_s=0.006, length_s=0.05, rate_hz=rate_hz)
    return normalised(knock, 1.2 * crack)


BLOCKS = Scene("clapping_blocks", "two hands clap wooden blocks together", _backdrop, _action, _sound)
