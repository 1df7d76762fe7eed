"""A bronze bell hangs from a beam; a mallet strikes it and it swings."""

import numpy as np

from training.world.canvas import Canvas, Point
from training.world.events import Moment
from training.world.look import Look, paint_room
from training.world.scenes.base import Scene
from training.world.scenes.parts import rays, swing
from training.world.sounds import Wave, burst, normalised, partials

BRONZE = (0.86, 0.62, 0.24)
HANG = (0.4, 0.12)


def _backdrop(canvas: Canvas, look: Look) -> None:
    paint_room(canvas, look, horizon=0.86)
    for x in (0.04, 0.76):
        canvas.slab((x, 0.08), (x, 0.95), 0.035, (0.36, 0.24, 0.16))
    canvas.slab((-0.04, 0.09), (0.84, 0.09), 0.045, (0.42, 0.28, 0.18))


def _action(canvas: Canvas, look: Look, moment: Moment) -> None:
    now = moment.since_s
    sway = 0.17 * moment.strength * float(np.exp(-now / 0.16) * np.sin(2 * np.pi * 2.4 * now))

    def hung(x: float, y: float) -> Point:
        return swing(HANG, (HANG[0] + x, HANG[1] + y), sway)

    canvas.slab(hung(0, 0), hung(0, 0.12), 0.022, (0.3, 0.3, 0.33))
    canvas.disc(hung(0, 0.6), 0.05, (0.34, 0.26, 0.14))
    canvas.disc(hung(0, 0.22), 0.13, BRONZE)
    canvas.convex((hung(-0.13, 0.2), hung(0.13, 0.2), hung(0.17, 0.4), hung(-0.17, 0.4)), BRONZE)
    canvas.convex((hung(-0.17, 0.39), hung(0.17, 0.39), hung(0.24, 0.57), hung(-0.24, 0.57)), BRONZE)
    canvas.capsule(hung(-0.23, 0.57), hung(0.23, 0.57), 0.03, (0.74, 0.5, 0.17))
    canvas.capsule(hung(-0.15, 0.4), hung(0.15, 0.4), 0.012, (0.7, 0.47, 0.15))
    canvas.glow(hung(-0.05, 0.3), 0.09, (1.0, 0.9, 0.6), 0.3)
    canvas.glow(hung(0.0, 0.4), 0.22, (1.0, 0.85, 0.45), 0.4 * moment.flash(0.1))
    _mallet(canvas, look, moment)


def _mallet(canvas: Canvas, look: Look, moment: Moment) -> None:
    """A mallet on a long shaft that swings in from the right."""
    pivot, turn = (0.86, 1.08), 0.75 * moment.lift()
    head = swing(pivot, (0.71, 0.6), turn)
    canvas.capsule(swing(pivot, (0.9, 1.15), turn), head, 0.022, (0.62, 0.43, 0.25))
    canvas.slab(swing(pivot, (0.645, 0.62), turn), swing(pivot, (0.8, 0.57), turn), 0.075, look.accent, corner=0.03)
    rays(canvas, (0.64, 0.62), moment, inner=0.06, colour=(1.0, 0.97, 0.8))


def _sound(random: np.random.Generator, rate_hz: int) -> Wave:
    base = 620 * random.uniform(0.99, 1.01)
    ring = partials(
        [base * ratio for ratio in (1, 2, 2.4, 3, 4, 5.33, 6.7)],
        (0.5, 0.34, 0.3, 0.22, 0.16, 0.1, 0.06),
        length_s=1.3,
        rate_hz=rate_hz,
    )
    click = burst(random, (2500, 9000), decay_s=0.006, length_s=0.04, rate_hz=rate_hz)
    return normalised(ring, 1.6 * click)


BELL = Scene("ringing_bell", "a mallet strikes a bronze bell that hangs from a beam", _backdrop, _action, _sound)
