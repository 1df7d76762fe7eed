"""A stick strikes a cymbal, which tips and shimmers."""

import numpy as np

from training.world.canvas import Canvas, Point
from training.world.events import Moment
from training.world.look import Look, paint_room
from training.world.scenes.base import Scene
from training.world.scenes.parts import rays, swing
from training.world.sounds import Wave, burst, normalised, partials

GOLD = (0.93, 0.77, 0.34)
STAND = (0.4, 0.52)


def _backdrop(canvas: Canvas, look: Look) -> None:
    paint_room(canvas, look, horizon=0.86)
    canvas.shadow((0.4, 0.95), 0.22, 0.03, 0.4)
    for foot in (0.22, 0.58):
        canvas.capsule((0.4, 0.82), (foot, 0.96), 0.016, (0.25, 0.26, 0.3))
    canvas.capsule(STAND, (0.4, 0.93), 0.02, (0.32, 0.33, 0.38))


def _action(canvas: Canvas, look: Look, moment: Moment) -> None:
    now = moment.since_s
    tip = 0.22 * moment.strength * float(np.exp(-now / 0.18) * np.sin(2 * np.pi * 2.6 * now))

    def tipped(x: float, y: float) -> Point:
        return swing(STAND, (STAND[0] + x, STAND[1] + y), tip)

    canvas.ellipse(tipped(-0.36, 0.015), tipped(0.36, 0.015), 0.105, (0.6, 0.46, 0.16))
    canvas.ellipse(tipped(-0.36, 0), tipped(0.36, 0), 0.1, GOLD)
    for ring in (0.27, 0.18):
        canvas.ellipse(tipped(-ring, -0.005), tipped(ring, -0.005), ring * 0.28, (0.85, 0.67, 0.26))
    canvas.ellipse(tipped(-0.09, -0.02), tipped(0.09, -0.02), 0.045, GOLD)
    canvas.capsule(tipped(0, -0.06), tipped(0, -0.02), 0.018, (0.3, 0.3, 0.34))
    canvas.glow(tipped(0.16, 0), 0.18, (1.0, 0.93, 0.6), 0.4 * moment.flash(0.1))
    pivot, turn = (1.06, 0.62), 0.75 * moment.lift()
    tool = swing(pivot, (0.66, 0.44), turn)
    canvas.capsule((1.15, 0.95), pivot, 0.08, look.accent)
    canvas.capsule(tool, swing(pivot, (1.04, 0.6), turn), 0.03, (0.8, 0.62, 0.4))
    canvas.disc(tool, 0.075, (0.96, 0.93, 0.86))
    canvas.capsule(swing(pivot, (0.93, 0.56), turn), pivot, 0.062, (0.93, 0.74, 0.6))
    rays(canvas, (0.66, 0.5), moment, inner=0.08, colour=(1.0, 0.97, 0.8))


def _sound(random: np.random.Generator, rate_hz: int) -> Wave:
    hiss = burst(random, (3500, 15000), decay_s=0.22, length_s=0.9, rate_hz=rate_hz)
    click = burst(random, (1500, 9000), decay_s=0.01, length_s=0.05, rate_hz=rate_hz)
    pitches = random.uniform(500, 4200, 9)
    ring = partials(list(pitches), [0.16] * 9, length_s=0.7, rate_hz=rate_hz)
    return normalised(hiss, 0.9 * click, 0.12 * ring)


CYMBAL = Scene("striking_cymbal", "a soft stick strikes a golden cymbal", _backdrop, _action, _sound)
