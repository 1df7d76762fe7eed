"""A ball bounces on a floor; each contact with the floor is an event."""

import numpy as np

from training.world.canvas import Canvas
from training.world.events import LONGEST_GAP_S, Moment
from training.world.look import Look, paint_room
from training.world.scenes.base import Scene
from training.world.scenes.parts import swing
from training.world.sounds import Wave, burst, normalised, sweep

FLOOR = 0.84
RADIUS = 0.15


def _backdrop(canvas: Canvas, look: Look) -> None:
    paint_room(canvas, look, horizon=0.7)
    for step in range(-4, 6):
        canvas.capsule((0.5 + step * 0.16, 0.7), (0.5 + step * 0.42, 1.15), 0.005, look.wall, alpha=0.6)
    for row in (0.735, 0.79, 0.87, 0.98):
        canvas.capsule((-0.4, row), (1.4, row), 0.004, look.wall, alpha=0.6)


def _action(canvas: Canvas, look: Look, moment: Moment) -> None:
    gap = moment.since_s + moment.until_s
    height = 2.05 * moment.since_s * moment.until_s / gap / LONGEST_GAP_S**0.5
    squash = 0.34 * moment.strength * float(np.exp(-moment.since_s / 0.025))
    wide, tall = RADIUS * (1 + squash), RADIUS * (1 - squash)
    x, y = 0.5 + 0.1 * float(np.sin(0.9 * moment.time_s + look.seed)), FLOOR - height - tall
    closeness = float(np.exp(-height / 0.25))
    canvas.shadow((x, FLOOR), 0.08 + 0.12 * closeness, 0.02 + 0.02 * closeness, 0.25 + 0.4 * closeness)
    _puff(canvas, moment, x)
    canvas.ellipse((x - wide, y), (x + wide, y), tall, look.accent)
    turn = 2.2 * moment.time_s
    for spot in range(3):
        sx, sy = swing((0.0, 0.0), (0.62, 0.0), turn + spot * 2.094)
        canvas.disc((x + sx * wide, y + sy * tall), 0.036, (0.97, 0.95, 0.9))
    canvas.glow((x - 0.05, y - 0.06), 0.05, (1.0, 1.0, 1.0), 0.35)


def _puff(canvas: Canvas, moment: Moment, x: float) -> None:
    """Dust that spreads from the contact along the floor, and a short gleam of the floor."""
    canvas.glow((x, FLOOR), 0.18, (1.0, 0.95, 0.8), 0.4 * moment.flash(0.09))
    if moment.since_s < 0.25:
        fade = 1 - moment.since_s / 0.25
        reach = 0.17 + 0.9 * moment.since_s
        for way in (-1, 1):
            at = (x + way * reach, FLOOR - 0.02 - 0.1 * moment.since_s)
            canvas.disc(at, 0.03 + 0.12 * moment.since_s, (0.95, 0.93, 0.88), alpha=0.5 * fade)


def _sound(random: np.random.Generator, rate_hz: int) -> Wave:
    low = random.uniform(70, 85)
    body = sweep(low * 3.2, low, fall_s=0.02, decay_s=0.09, length_s=0.4, rate_hz=rate_hz)
    slap = burst(random, (500, 5000), decay_s=0.012, length_s=0.08, rate_hz=rate_hz)
    return normalised(body, 0.8 * slap)


BALL = Scene("bouncing_ball", "a big ball bounces on the floor of a hall", _backdrop, _action, _sound)
