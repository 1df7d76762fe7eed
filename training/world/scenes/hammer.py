"""A hammer drives a nail into a post: seen from the side, the blow comes from the right."""

import numpy as np

from training.world.canvas import Canvas
from training.world.events import Moment
from training.world.look import Look, paint_room
from training.world.scenes.base import Scene
from training.world.scenes.parts import fling, rays, swing
from training.world.sounds import Wave, burst, normalised, partials

POST = (0.72, 0.52, 0.3)
STEEL = (0.68, 0.71, 0.77)
CONTACT = (0.385, 0.44)


def _backdrop(canvas: Canvas, look: Look) -> None:
    paint_room(canvas, look, horizon=0.82)
    canvas.shadow((0.2, 0.95), 0.3, 0.04, 0.5)
    canvas.slab((0.14, -0.1), (0.14, 0.95), 0.11, POST, corner=0.01)
    for x in (0.08, 0.14, 0.2):
        canvas.capsule((x, -0.05), (x + 0.01, 0.93), 0.005, (0.5, 0.34, 0.19), alpha=0.7)


def _action(canvas: Canvas, look: Look, moment: Moment) -> None:
    jolt = 0.03 * moment.flash(0.06)
    canvas.glow(CONTACT, 0.17, (1.0, 0.92, 0.7), 0.6 * moment.flash(0.09))
    canvas.capsule((0.25, 0.44), (0.375 - jolt, 0.44), 0.016, (0.82, 0.84, 0.88))
    canvas.slab((0.37 - jolt, 0.4), (0.37 - jolt, 0.48), 0.016, (0.9, 0.91, 0.94))
    pivot, turn = (0.72, 1.0), 0.62 * moment.lift()
    canvas.capsule((0.98, 1.2), pivot, 0.09, look.accent)
    canvas.capsule(swing(pivot, (0.535, 0.42), turn), pivot, 0.03, (0.45, 0.27, 0.14))
    canvas.slab(swing(pivot, (0.39, 0.45), turn), swing(pivot, (0.64, 0.385), turn), 0.075, STEEL, corner=0.02)
    canvas.slab(swing(pivot, (0.39, 0.45), turn), swing(pivot, (0.43, 0.44), turn), 0.09, (0.86, 0.88, 0.93))
    canvas.capsule(swing(pivot, (0.68, 0.86), turn), pivot, 0.07, (0.93, 0.74, 0.6))
    rays(canvas, CONTACT, moment, inner=0.07, colour=(1.0, 0.98, 0.85))
    fling(canvas, (0.27, 0.44), moment, count=6, colour=(0.9, 0.72, 0.48), size=0.012, seed=look.seed)


def _sound(random: np.random.Generator, rate_hz: int) -> Wave:
    base = 2350 * random.uniform(0.97, 1.03)
    ping = partials((base, base * 1.41, base * 2.2), (0.06, 0.04, 0.03), length_s=0.3, rate_hz=rate_hz)
    board = partials((random.uniform(270, 310), 540, 910), (0.05, 0.03, 0.02), length_s=0.25, rate_hz=rate_hz)
    click = burst(random, (1500, 11000), decay_s=0.005, length_s=0.04, rate_hz=rate_hz)
    return normalised(ping, 0.9 * board, 1.3 * click)


HAMMER = Scene("hammering_nail", "a hammer drives a nail into a wooden post", _backdrop, _action, _sound)
