"""What a span of pictures lacks: how long one stands for want of the next, or damaged ones are shown; its jitter."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

STILL_US = 250_000
"""A picture that stands for longer, and for twice as long as usual, waits for one that is missing [ours]."""

EVEN = 0.05
"""Pictures lie evenly, but for jitter, where their mean and median distances differ by no more [ours]."""

FEWEST = 8
"""Of fewer pictures nobody can say [ours]."""

TOLD_JITTER_US = 1_000
"""Containers round stamps to a millisecond."""


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

    def jitter_us(self) -> int:
        """How far stamps lie off even ones at most; 0 where rates vary, or it is what rounding does."""
        at = np.array(self._at_us, np.float64)
        if len(at) < FEWEST:
            return 0
        usual_us, numbers = float(np.median(np.diff(at))), np.arange(len(at))
        if abs((at[-1] - at[0]) / (len(at) - 1) - usual_us) > EVEN * usual_us:
            return 0
        off_us = at - np.polynomial.Polynomial.fit(numbers, at, 1)(numbers)
        most_us = round(float(np.abs(off_us).max()))
        return most_us if most_us > TOLD_JITTER_US else 0


def standing_us(stood_us: NDArray[np.int64], step_us: int) -> NDArray[np.int64]:
    """How much of the time that each picture is shown it waits for one that is missing."""
    waits = (stood_us > STILL_US) & (stood_us > 2 * step_us)
    return np.where(waits, stood_us - step_us, 0)
