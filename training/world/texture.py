"""Patterns upon wall and floor, a kind for each from the seed: noise, stripes, tiles or planks [ours].

A pattern is a function of the place in units, so that it looks the same at every size; on the floor the place is seen
in perspective.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from training.world.canvas import Canvas
from training.world.events import generator

DEPTH = 0.55
"""Largest relative change of brightness."""
WAVES = 14

Plane = NDArray[np.float32]
Pattern = Callable[[np.random.Generator, Plane, Plane], Plane]


def grain(canvas: Canvas, *, horizon: float, seed: int) -> Plane:
    """(height, width, 3) relative change of brightness, at most `DEPTH` each way and a little different by colour.

    Args:
        canvas: whose size and framing.
        horizon: where the floor begins, in units.
        seed: decides kinds and colours.
    """
    x, y = canvas.units()
    x, y = np.broadcast_arrays(x, y)
    wall, floor = generator(seed, "wall texture"), generator(seed, "floor texture")
    near = 0.45 + np.maximum(y - horizon, 0.0)
    above = _pattern(wall)(wall, x, y)[..., None] * _tint(wall)
    below = _pattern(floor)(floor, 0.5 * (x - 0.5) / near, -0.5 / near)[..., None] * _tint(floor)
    return np.where((y < horizon)[..., None], above, below)


def noise(random: np.random.Generator, x: Plane, y: Plane) -> Plane:
    """Clouds: waves of every direction, a unit to an eighth of a unit long."""
    total = np.zeros(x.shape, np.float32)
    ways, phases = random.uniform(0, 2 * np.pi, (2, WAVES))
    for way, phase, waves in zip(ways, phases, np.geomspace(1.0, 8.0, WAVES), strict=True):
        turn = 2 * np.pi * waves
        total += np.cos(turn * (np.cos(way) * x + np.sin(way) * y) + phase).astype(np.float32)
    clouds: Plane = np.tanh(total / np.float32(np.sqrt(WAVES / 2)))
    return clouds


def stripes(random: np.random.Generator, x: Plane, y: Plane) -> Plane:
    """Bands of any direction with sharp edges."""
    way, phase, waves = random.uniform((0, 0, 3.0), (np.pi, 2 * np.pi, 7.0))
    along = np.cos(way) * x + np.sin(way) * y
    bands: Plane = np.tanh(4 * np.sin(2 * np.pi * waves * along + phase)).astype(np.float32)
    return bands


def tiles(random: np.random.Generator, x: Plane, y: Plane) -> Plane:
    """A grid of tiles, each of its own brightness, with dark joints."""
    size = random.uniform(0.12, 0.24)
    return _laid(random, x / size, y / size, joints=(0.07, 0.07))


def planks(random: np.random.Generator, x: Plane, y: Plane) -> Plane:
    """Long boards, lying or standing, each row shifted against the next."""
    if random.integers(2):
        x, y = y, x
    row = y / random.uniform(0.11, 0.18)
    shifts = random.uniform(0, 1, 16)[np.floor(row).astype(int) % 16]
    return _laid(random, x / random.uniform(0.5, 0.9) + shifts, row, joints=(0.025, 0.1))


PATTERNS: tuple[Pattern, ...] = (noise, stripes, tiles, planks)


def _laid(random: np.random.Generator, u: Plane, v: Plane, *, joints: tuple[float, float]) -> Plane:
    """Rectangles one wide and one high in `u` and `v`, with half a joint's width given for each direction."""
    shades = random.uniform(-0.5, 1.0, (16, 16))
    column, row = np.floor(u).astype(int), np.floor(v).astype(int)
    edge = (np.abs(u - np.round(u)) < joints[0]) | (np.abs(v - np.round(v)) < joints[1])
    return np.where(edge, -1.0, shades[row % 16, column % 16]).astype(np.float32)


def _pattern(random: np.random.Generator) -> Pattern:
    return PATTERNS[int(random.integers(len(PATTERNS)))]


def _tint(random: np.random.Generator) -> Plane:
    return DEPTH * random.uniform(0.6, 1.0, 3).astype(np.float32)
