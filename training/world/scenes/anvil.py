"""A smith's hammer strikes glowing iron on an anvil."""

import numpy as np

from training.world.canvas import Canvas
from training.world.events import Moment
from training.world.look import Look, paint_room
from training.world.scenes.base import Scene
from training.world.scenes.parts import fling, swing
from training.world.sounds import Wave, burst, normalised, partials

STEEL = (0.36, 0.39, 0.45)
IRON = (1.0, 0.52, 0.14)
CONTACT = (0.42, 0.585)


def _backdrop(canvas: Canvas, look: Look) -> None:
    paint_room(canvas, look, horizon=0.8)
    canvas.shadow((0.42, 0.9), 0.34, 0.05, 0.5)
    canvas.slab((0.42, 0.8), (0.42, 0.93), 0.2, (0.42, 0.28, 0.17))
    canvas.convex(((0.3, 0.82), (0.54, 0.82), (0.48, 0.72), (0.36, 0.72)), STEEL)
    canvas.convex(((0.24, 0.64), (0.62, 0.64), (0.5, 0.74), (0.34, 0.74)), STEEL)
    canvas.convex(((0.04, 0.625), (0.26, 0.615), (0.26, 0.69)), STEEL)
    canvas.slab((0.22, 0.645), (0.66, 0.645), 0.035, (0.46, 0.5, 0.56))
    canvas.slab((0.26, 0.598), (0.56, 0.598), 0.018, IRON)
    canvas.glow((0.41, 0.598), 0.12, (0.9, 0.35, 0.05), 0.28)


def _action(canvas: Canvas, look: Look, moment: Moment) -> None:
    canvas.glow(CONTACT, 0.17, (1.0, 0.72, 0.3), 0.7 * moment.flash(0.1))
    pivot, turn = (0.95, 0.56), 0.95 * moment.lift()
    hand = swing(pivot, (0.86, 0.49), turn)
    canvas.capsule((1.1, 0.8), pivot, 0.075, look.accent)
    canvas.capsule(swing(pivot, (0.38, 0.485), turn), swing(pivot, (0.92, 0.495), turn), 0.024, (0.6, 0.4, 0.22))
    canvas.slab(
        swing(pivot, (0.42, 0.58), turn), swing(pivot, (0.42, 0.39), turn), 0.078, (0.66, 0.69, 0.75), corner=0.016
    )
    canvas.capsule(pivot, hand, 0.06, (0.93, 0.74, 0.6))
    fling(canvas, CONTACT, moment, count=16, colour=(1.0, 0.86, 0.4), size=0.011, seed=look.seed)


def _sound(random: np.random.Generator, rate_hz: int) -> Wave:
    base = 880 * random.uniform(0.98, 1.02)
    ring = partials(
        [base * ratio for ratio in (1, 1.83, 2.71, 3.94, 5.4, 7.1)],
        (0.26, 0.2, 0.16, 0.12, 0.07, 0.05),
        length_s=0.8,
        rate_hz=rate_hz,
    )
    click = burst(random, (2000, 12000), decay_s=0.008, length_s=0.05, rate_hz=rate_hz)
    return normalised(ring, 1.4 * click)


ANVIL = Scene("hammering_anvil", "a blacksmith hammers glowing iron on an anvil", _backdrop, _action, _sound)
