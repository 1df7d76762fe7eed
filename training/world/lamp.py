"""A lamp whose pool of light drifts and brightens slowly, whatever strikes [ours]."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.world.canvas import Canvas
from training.world.events import generator

SLOWEST_S, FASTEST_S = 8.0, 2.5
RADIUS = 0.55
DARK = 0.4
BRIGHT = 0.75


@dataclass(frozen=True, slots=True)
class Lamp:
    """A light over the whole picture.

    Attributes:
        strength: 0 to 1.
        lengths_s, phases: (3,) the slow waves of its place (across, down) and its brightness.
    """

    strength: float
    lengths_s: NDArray[np.float64]
    phases: NDArray[np.float64]

    def shine(self, canvas: Canvas, time_s: float) -> None:
        """Darken the picture, but for the pool of light at `time_s`."""
        across, down, level = np.sin(2 * np.pi * time_s / self.lengths_s + self.phases)
        x, y = canvas.units()
        pool = np.exp(-(((x - 0.5 - 0.45 * across) / RADIUS) ** 2)) * np.exp(
            -(((y - 0.45 - 0.35 * down) / RADIUS) ** 2)
        )
        gain = 1.0 + self.strength * ((0.6 + 0.4 * level) * BRIGHT * pool - DARK)
        canvas.pixels *= gain.astype(np.float32)[..., None]


def choose_lamp(seed: int, *, strength: float) -> Lamp | None:
    """The lamp of a seed; none if it has no strength."""
    if strength <= 0:
        return None
    random = generator(seed, "lamp")
    return Lamp(strength, random.uniform(FASTEST_S, SLOWEST_S, 3), random.uniform(0, 2 * np.pi, 3))
