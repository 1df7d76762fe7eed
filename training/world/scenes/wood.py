"""An axe chops a log upon a block; chips fly."""

import numpy as np

from training.world.canvas import Canvas
from training.world.events import Moment
from training.world.look import Look, paint_room
from training.world.scenes.base import Scene
from training.world.scenes.parts import fling, swing
from training.world.sounds import Wave, burst, normalised, partials, sweep

BARK = (0.45, 0.3, 0.19)
CUT = (0.88, 0.7, 0.45)
CONTACT = (0.4, 0.56)


def _backdrop(canvas: Canvas, look: Look) -> None:
    paint_room(canvas, look, horizon=0.78)
    canvas.shadow((0.4, 0.94), 0.4, 0.05, 0.5)
    canvas.slab((0.4, 0.76), (0.4, 0.94), 0.25, (0.5, 0.34, 0.22), corner=0.03)
    canvas.ellipse((0.15, 0.77), (0.65, 0.77), 0.05, CUT)


def _action(canvas: Canvas, look: Look, moment: Moment) -> None:
    jolt = 0.02 * moment.flash(0.05)
    canvas.capsule((0.24, 0.67 + jolt), (0.56, 0.67 + jolt), 0.1, BARK)
    for radius, colour in ((0.095, CUT), (0.06, (0.78, 0.58, 0.34)), (0.03, CUT)):
        canvas.disc((0.2, 0.67 + jolt), radius, colour)
    canvas.glow(CONTACT, 0.16, (1.0, 0.9, 0.6), 0.6 * moment.flash(0.09))
    pivot, turn = (1.0, 0.62), 0.72 * moment.lift()
    canvas.capsule((1.12, 0.9), pivot, 0.08, look.accent)
    canvas.capsule(swing(pivot, (0.36, 0.43), turn), swing(pivot, (0.97, 0.59), turn), 0.03, (0.7, 0.48, 0.28))
    blade = ((0.335, 0.36), (0.455, 0.38), (0.51, 0.575), (0.285, 0.595))
    canvas.convex(tuple(swing(pivot, corner, turn) for corner in blade), (0.72, 0.75, 0.8))
    edge = ((0.293, 0.55), (0.5, 0.53), (0.51, 0.575), (0.285, 0.595))
    canvas.convex(tuple(swing(pivot, corner, turn) for corner in edge), (0.93, 0.95, 0.97))
    canvas.capsule(swing(pivot, (0.88, 0.565), turn), pivot, 0.058, (0.93, 0.74, 0.6))
    fling(canvas, CONTACT, moment, count=12, colour=CUT, size=0.022, seed=look.seed)


def _sound(random: np.random.Generator, rate_hz: int) -> Wave:
    body = sweep(260, random.uniform(110, 130), fall_s=0.015, decay_s=0.07, length_s=0.4, rate_hz=rate_hz)
    split = partials((random.uniform(420, 470), 730, 1190), (0.04, 0.03, 0.02), length_s=0.2, rate_hz=rate_hz)
    crack = burst(random, (1000, 9000), decay_s=0.018, length_s=0.12, rate_hz=rate_hz)
    return normalised(body, 0.5 * split, 1.2 * crack)


WOOD = Scene("chopping_wood", "an axe chops a log on a block", _backdrop, _action, _sound)
