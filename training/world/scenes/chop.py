"""A kitchen knife comes down on a carrot upon a board; slices jump."""

import numpy as np

from training.world.canvas import Canvas
from training.world.events import Moment
from training.world.look import Look, paint_room
from training.world.scenes.base import Scene
from training.world.scenes.parts import fling, swing
from training.world.sounds import Wave, burst, normalised, partials

CARROT = (1.0, 0.52, 0.12)
BLADE = (0.84, 0.87, 0.92)
CONTACT = (0.42, 0.72)


def _backdrop(canvas: Canvas, look: Look) -> None:
    paint_room(canvas, look, horizon=0.68)
    canvas.shadow((0.45, 0.88), 0.48, 0.05, 0.5)
    canvas.slab((0.02, 0.8), (0.88, 0.8), 0.065, (0.86, 0.68, 0.44), corner=0.02)
    canvas.slab((0.02, 0.85), (0.88, 0.85), 0.025, (0.6, 0.43, 0.25))
    canvas.capsule((0.06, 0.69), (0.4, 0.67), 0.05, CARROT)
    for x in (0.12, 0.2, 0.29):
        canvas.capsule((x, 0.66), (x + 0.01, 0.7), 0.006, (0.86, 0.4, 0.08))
    for x in (0.03, 0.0, 0.05):
        canvas.capsule((0.03, 0.69), (x - 0.06, 0.6 + x), 0.022, (0.32, 0.62, 0.24))


def _action(canvas: Canvas, look: Look, moment: Moment) -> None:
    canvas.glow(CONTACT, 0.17, (1.0, 0.95, 0.8), 0.55 * moment.flash(0.09))
    for x in (0.5, 0.58):
        canvas.ellipse((x - 0.01, 0.745), (x + 0.055, 0.745), 0.045, CARROT)
    pivot, turn = (1.05, 0.52), 0.6 * moment.lift()
    blade = ((0.3, 0.56), (0.78, 0.47), (0.79, 0.61), (0.36, 0.745))
    canvas.convex(tuple(swing(pivot, corner, turn) for corner in blade), BLADE)
    edge = ((0.345, 0.715), (0.79, 0.575), (0.79, 0.61), (0.36, 0.745))
    canvas.convex(tuple(swing(pivot, corner, turn) for corner in edge), (0.99, 1.0, 1.0))
    canvas.capsule((1.15, 0.82), pivot, 0.085, look.accent)
    canvas.capsule(swing(pivot, (0.78, 0.53), turn), swing(pivot, (0.98, 0.51), turn), 0.036, (0.16, 0.14, 0.16))
    canvas.capsule(swing(pivot, (0.9, 0.53), turn), pivot, 0.065, (0.93, 0.74, 0.6))
    fling(canvas, CONTACT, moment, count=7, colour=CARROT, size=0.03, seed=look.seed)


def _sound(random: np.random.Generator, rate_hz: int) -> Wave:
    base = 620 * random.uniform(0.95, 1.05)
    board = partials((base, base * 1.73, base * 3.1), (0.03, 0.02, 0.012), length_s=0.15, rate_hz=rate_hz)
    cut = burst(random, (2500, 12000), decay_s=0.025, length_s=0.12, rate_hz=rate_hz)
    return normalised(board, 0.6 * cut)


CHOP = Scene("slicing_carrot", "a kitchen knife slices a carrot on a board", _backdrop, _action, _sound)
