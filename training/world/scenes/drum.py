"""Two mallets take turns on a drum whose head lights up at each blow."""

import numpy as np

from training.world.canvas import Canvas, Point
from training.world.events import Moment
from training.world.look import Look, paint_room
from training.world.scenes.base import Scene
from training.world.scenes.parts import rays, swing
from training.world.sounds import Wave, burst, normalised, sweep

HEAD = (0.95, 0.92, 0.84)
RIM = (0.8, 0.82, 0.86)


def _backdrop(canvas: Canvas, look: Look) -> None:
    paint_room(canvas, look, horizon=0.82)
    canvas.shadow((0.5, 0.94), 0.4, 0.05, 0.5)


def _action(canvas: Canvas, look: Look, moment: Moment) -> None:
    drop = 0.022 * moment.flash(0.05)
    top, bottom = 0.58 + drop, 0.88 + drop
    canvas.ellipse((0.18, bottom), (0.82, bottom), 0.08, RIM)
    canvas.slab((0.5, top), (0.5, bottom), 0.31, look.accent, corner=0.005)
    canvas.ellipse((0.19, bottom - 0.012), (0.81, bottom - 0.012), 0.07, look.accent)
    for x in (0.26, 0.42, 0.58, 0.74):
        canvas.capsule((x, top + 0.09), (x, bottom - 0.02), 0.008, RIM)
    canvas.ellipse((0.17, top), (0.83, top), 0.105, RIM)
    canvas.ellipse((0.195, top - 0.004), (0.805, top - 0.004), 0.086, HEAD)
    side = moment.index % 2
    at = _contact(side)
    canvas.glow((at[0], top), 0.16, (1.0, 0.9, 0.55), 0.5 * moment.flash(0.1))
    for stick in (0, 1):
        _mallet(canvas, moment, stick)
    rays(canvas, at, moment, inner=0.09, colour=(1.0, 0.98, 0.8))


def _contact(side: int) -> Point:
    return (0.42, 0.55) if side == 0 else (0.58, 0.55)


def _mallet(canvas: Canvas, moment: Moment, side: int) -> None:
    """The left (0) or right (1) mallet, held at the picture's edge."""
    way = -1.0 if side == 0 else 1.0
    pivot = (0.5 + way * 0.52, 0.44)
    turn = way * 0.8 * moment.lift(side=side)
    head = swing(pivot, (_contact(side)[0], 0.5), turn)
    canvas.capsule(pivot, head, 0.024, (0.66, 0.46, 0.27))
    canvas.disc(head, 0.078, (0.78, 0.2, 0.2))
    canvas.capsule((0.5 + way * 0.66, 0.62), pivot, 0.07, (0.93, 0.74, 0.6))


def _sound(random: np.random.Generator, rate_hz: int) -> Wave:
    low = random.uniform(105, 120)
    skin = sweep(low * 2.2, low, fall_s=0.03, decay_s=0.14, length_s=0.6, rate_hz=rate_hz)
    snare = burst(random, (900, 7000), decay_s=0.05, length_s=0.25, rate_hz=rate_hz)
    return normalised(skin, 0.7 * snare)


DRUM = Scene("playing_drum", "two mallets beat a drum in turn", _backdrop, _action, _sound)
