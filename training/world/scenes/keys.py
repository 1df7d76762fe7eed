"""A finger strikes a piano key, which dips and gleams."""

import numpy as np

from training.world.canvas import Canvas
from training.world.events import Moment
from training.world.look import Look, paint_room
from training.world.scenes.base import Scene
from training.world.scenes.parts import rays
from training.world.sounds import Wave, burst, normalised, partials

SKIN = (0.93, 0.72, 0.57)
IVORY = (0.93, 0.92, 0.87)
EBONY = (0.1, 0.1, 0.13)
WIDTH = 0.2
KEY_X = 0.5


def _backdrop(canvas: Canvas, look: Look) -> None:
    paint_room(canvas, look, horizon=0.5)
    canvas.slab((-0.5, 0.52), (1.5, 0.52), 0.06, (0.2, 0.12, 0.1))
    canvas.slab((-0.5, 1.0), (1.5, 1.0), 0.12, (0.16, 0.1, 0.09))
    for key in range(-4, 5):
        if key:
            _white(canvas, KEY_X + key * WIDTH, 0.0, IVORY)
    for edge in (-3.5, -2.5, -1.5, 1.5, 2.5, 3.5):
        _black(canvas, KEY_X + edge * WIDTH)


def _action(canvas: Canvas, look: Look, moment: Moment) -> None:
    away = moment.lift()
    held = moment.strength * float(np.exp(-moment.since_s / 0.1))
    tint = (IVORY[0] + 0.07 * held, IVORY[1] - 0.1 * held, IVORY[2] - 0.5 * held)
    _white(canvas, KEY_X, 0.07 * held, tint)
    for edge in (-0.5, 0.5):
        _black(canvas, KEY_X + edge * WIDTH)
    canvas.glow((KEY_X, 0.84), 0.15, (1.0, 0.8, 0.35), 0.4 * moment.flash(0.1))
    x, y = KEY_X + 0.06 * away, 0.8 + 0.05 * held - 0.34 * away
    canvas.shadow((KEY_X, 0.82), 0.1, 0.05, 0.3 * (1 - away))
    canvas.capsule((x + 0.5, y - 0.44), (x + 0.27, y - 0.25), 0.11, look.accent)
    canvas.capsule((x + 0.28, y - 0.25), (x + 0.14, y - 0.21), 0.095, SKIN)
    for lift, reach in ((0.07, 0.3), (0.06, 0.2), (0.05, 0.1)):
        canvas.capsule((x + reach, y - 0.2), (x + reach - 0.01, y - lift - 0.04), 0.036, (0.82, 0.6, 0.46))
    canvas.capsule((x + 0.1, y - 0.25), (x + 0.01, y - 0.19), 0.046, SKIN)
    canvas.capsule((x + 0.01, y - 0.19), (x, y - 0.02), 0.043, SKIN)
    rays(canvas, (KEY_X, 0.82), moment, inner=0.08, colour=(1.0, 0.95, 0.7))


def _white(canvas: Canvas, x: float, dip: float, colour: tuple[float, float, float]) -> None:
    canvas.slab((x, 0.56), (x, 0.9 + dip), WIDTH / 2 - 0.006, colour, corner=0.012)


def _black(canvas: Canvas, x: float) -> None:
    canvas.slab((x, 0.56), (x, 0.73), 0.055, EBONY, corner=0.012)


def _sound(random: np.random.Generator, rate_hz: int) -> Wave:
    base = 392 * random.choice(np.array((1.0, 1.0, 1.122, 0.891)))
    string = partials(
        [base * order for order in (1, 2.001, 3.004, 4.01, 5.02, 6.03)],
        (0.3, 0.24, 0.16, 0.12, 0.09, 0.06),
        length_s=0.9,
        rate_hz=rate_hz,
    )
    hammer = burst(random, (300, 4000), decay_s=0.008, length_s=0.05, rate_hz=rate_hz)
    return normalised(string, 0.6 * hammer)


KEYS = Scene("playing_piano", "a finger strikes a piano key", _backdrop, _action, _sound)
