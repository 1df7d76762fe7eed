"""A fist knocks on a door; its shadow meets it at the contact."""

import numpy as np

from training.world.canvas import Canvas
from training.world.events import Moment
from training.world.look import Look, hsv, paint_room
from training.world.scenes.base import Scene
from training.world.scenes.parts import rays
from training.world.sounds import Wave, burst, normalised, sweep

SKIN = (0.95, 0.76, 0.62)
KNUCKLE = (0.84, 0.62, 0.48)
CONTACT = (0.42, 0.4)


def _backdrop(canvas: Canvas, look: Look) -> None:
    paint_room(canvas, look, horizon=0.9)
    tone = (look.seed % 17) / 170
    frame, leaf, panel = (hsv(0.06 + tone, 0.55, value) for value in (0.22, 0.5, 0.4))
    canvas.slab((0.4, -0.2), (0.4, 0.93), 0.34, frame)
    canvas.slab((0.4, -0.2), (0.4, 0.92), 0.3, leaf)
    for x in (0.26, 0.54):
        for top, bottom in ((-0.2, 0.2), (0.6, 0.86)):
            canvas.slab((x, top), (x, bottom), 0.1, panel)
    canvas.disc((0.16, 0.5), 0.03, (0.93, 0.8, 0.36))


def _action(canvas: Canvas, look: Look, moment: Moment) -> None:
    away = moment.lift()
    canvas.glow(CONTACT, 0.2, (1.0, 0.93, 0.75), 0.45 * moment.flash(0.09))
    canvas.shadow((CONTACT[0] + 0.03 + 0.06 * away, CONTACT[1] + 0.06 + 0.1 * away), 0.13, 0.13, 0.55 - 0.25 * away)
    x, y, near = CONTACT[0] + 0.3 * away, CONTACT[1] + 0.24 * away, 1 + 0.3 * away
    canvas.capsule((x + 0.16, y + 0.18), (1.08, 1.0), 0.1 * near, look.accent)
    canvas.capsule((x + 0.06, y + 0.06), (x + 0.2, y + 0.22), 0.07 * near, SKIN)
    canvas.slab((x - 0.09 * near, y), (x + 0.09 * near, y), 0.1 * near, SKIN, corner=0.04)
    for finger in range(4):
        at = x + (0.045 * finger - 0.0675) * near
        canvas.capsule((at, y - 0.075 * near), (at, y + 0.03 * near), 0.024 * near, KNUCKLE)
    canvas.capsule((x - 0.06 * near, y + 0.065 * near), (x + 0.06 * near, y + 0.055 * near), 0.028 * near, SKIN)
    rays(canvas, CONTACT, moment, inner=0.15, colour=(1.0, 0.98, 0.85))


def _sound(random: np.random.Generator, rate_hz: int) -> Wave:
    low = random.uniform(150, 175)
    hollow = sweep(low * 1.8, low, fall_s=0.012, decay_s=0.06, length_s=0.35, rate_hz=rate_hz)
    rap = burst(random, (350, 2600), decay_s=0.012, length_s=0.08, rate_hz=rate_hz)
    return normalised(hollow, 0.9 * rap)


KNOCK = Scene("knocking_door", "a fist knocks on a wooden door", _backdrop, _action, _sound)
