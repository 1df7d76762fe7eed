"""All that was found, laid out so that a right clip and its twins stay together: figures draw clips, not files."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.natural.corpus import Filmed
from bench.natural.measure import Found
from bench.natural.twins import RIGHT
from bench.stats import RESAMPLINGS, Values, auc

BANDS = ("accept", "review", "reject")
Value = Callable[[Found], float]


class Table:
    """What was found of each file, by clip and by what was done to it.

    `clips` are all that were looked at; `unmeasured` are the files that no window could be measured of.
    """

    def __init__(self, found: Sequence[Found]) -> None:
        self.found = list(found)
        self.clips = [one.clip for one in found if one.kind == RIGHT]
        self.unmeasured = [one for one in found if one.outcome not in BANDS]
        self._by_key = {(one.clip.name, one.kind): one for one in found if one.outcome in BANDS}

    def of(self, clip: Filmed, kind: str) -> Found | None:
        """What was found of a clip's twin; None if it could not be measured."""
        return self._by_key.get((clip.name, kind))

    def files(self, clips: Sequence[Filmed], *kinds: str) -> list[Found]:
        """What was found of these clips, each with these things done to it."""
        return [one for clip in clips for kind in kinds if (one := self.of(clip, kind)) is not None]

    def right(self, keep: Callable[[Filmed], bool]) -> list[Filmed]:
        """The clips of a kind that could be measured as they are."""
        return [one for one in self.clips if keep(one) and self.of(one, RIGHT) is not None]

    def separation(self, clips: Sequence[Filmed], kinds: Sequence[str], value: Value) -> "Separation":
        """Values of right clips and of their twins, for an AUC and its interval."""
        right = np.array([value(one) for one in self.files(clips, RIGHT)], np.float64)
        twins = [[self.of(clip, kind) for kind in kinds] for clip in clips]
        wrong = [[np.nan if one is None else value(one) for one in row] for row in twins]
        there = [[one is not None for one in row] for row in twins]
        shape = (len(clips), len(kinds))
        return Separation(right, np.array(wrong, np.float64).reshape(shape), np.array(there, bool).reshape(shape))


class Separation:
    """(clips,) values of right clips, (clips, kinds) of their twins, and which of those there are."""

    def __init__(self, right: Values, wrong: Values, there: NDArray[np.bool_]) -> None:
        self._right, self._wrong, self._there = right, wrong, there

    @property
    def measured(self) -> bool:
        """Whether there is a value on both sides."""
        return bool(np.isfinite(self._right).any() and np.isfinite(self._wrong[self._there]).any())

    def auc(self, picked: NDArray[np.int64] | None = None) -> float:
        """The chance that a right clip has the higher value than a twin, of all clips or of those picked."""
        picked = np.arange(len(self._right)) if picked is None else picked
        wrong = self._wrong[picked][self._there[picked]]
        return auc(self._right[picked], wrong) if len(wrong) else float("nan")

    def interval(self, *, seed: int = 0) -> tuple[float, float]:
        """95 % interval of the AUC by drawing clips, each with all that was made of it."""
        random = np.random.default_rng(seed)
        drawn = random.integers(len(self._right), size=(RESAMPLINGS, len(self._right)))
        low, high = np.nanquantile([self.auc(clips) for clips in drawn], (0.025, 0.975))
        return float(low), float(high)
