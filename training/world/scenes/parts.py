"""Pieces that several scenes share: swinging tools, flying bits, impact rays."""

import numpy as np

from training.world.canvas import Canvas, Colour, Point
from training.world.events import Moment, generator


def swing(pivot: Point, rest: Point, turn: float) -> Point:
    """`rest` turned about `pivot` by `turn` radians (positive lifts what lies left of the pivot)."""
    x, y = rest[0] - pivot[0], rest[1] - pivot[1]
    cos, sin = float(np.cos(turn)), float(np.sin(turn))
    return pivot[0] + x * cos - y * sin, pivot[1] + x * sin + y * cos


def fling(canvas: Canvas, at: Point, moment: Moment, *, count: int, colour: Colour, size: float, seed: int) -> None:
    """Bits that fly off a strike along parabolas and are gone after a third of a second."""
    if moment.since_s > 0.33:
        return
    random = generator(seed * 1009 + moment.index, "bits")
    ways = random.uniform((-1.3, -1.7), (1.3, -0.5), (count, 2)) * moment.strength
    now = moment.since_s + 0.012
    fade = 1.0 - moment.since_s / 0.33
    for vx, vy in ways:
        x, y = at[0] + vx * now, at[1] + vy * now + 2.4 * now * now
        trail = (x - vx * 0.022, y - (vy + 4.8 * now) * 0.022)
        canvas.capsule(trail, (x, y), size * (0.5 + 0.5 * fade), colour, alpha=fade)


def rays(canvas: Canvas, at: Point, moment: Moment, *, inner: float, colour: Colour) -> None:
    """Short lines around a strike, there for two or three frames."""
    if moment.since_s > 0.12:
        return
    fade = 1.0 - moment.since_s / 0.12
    reach = inner + 0.09 * moment.strength
    for turn in np.linspace(0, 2 * np.pi, 10, endpoint=False) + 0.3:
        cos, sin = float(np.cos(turn)), float(np.sin(turn))
        start = (at[0] + inner * cos, at[1] + inner * sin)
        canvas.capsule(start, (at[0] + reach * cos, at[1] + reach * sin), 0.012, colour, alpha=fade)
