"""What a span of pictures lacks: how long one stands for want of the next, and how long damaged ones are shown."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

STILL_US = 250_000
"""A picture that stands for longer, and for twice as long as usual, waits for one that is missing [ours]."""


class Missing:
    """Gathers the pictures of a clip."""

    def __init__(self, step_us: int) -> None:
        """`step_us` is how far pictures usually lie apart."""
        self._step_us = step_us
        self._at_us, self._smeared = list[int](), list[bool]()

    def add(self, at_us: int, *, smeared: bool) -> None:
        """Take one picture, in order."""
        self._at_us.append(at_us)
        self._smeared.append(smeared)

    def frozen_us(self, end_us: int) -> int:
        """How long pictures stand still beyond their usual time, the last one until `end_us`."""
        stood = np.diff(np.array([*self._at_us, end_us]))
        return int(standing_us(stood, self._step_us).sum())

    def smeared_us(self, end_us: int) -> int:
        """How long damaged pictures are shown."""
        shown = pairwise([*self._at_us, end_us])
        return sum(after - at for (at, after), smeared in zip(shown, self._smeared, strict=True) if smeared)


def standing_us(stood_us: NDArray[np.int64], step_us: int) -> NDArray[np.int64]:
    """How much of the time that each picture is shown it waits for one that is missing."""
    waits = (stood_us > STILL_US) & (stood_us > 2 * step_us)
    return np.where(waits, stood_us - step_us, 0)
