"""Which clip is the n-th sample of a run: a pure function of (seed, n), the same for any number of ranks [ours]."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.seeds import numpy_generator, shuffled


class Plan(Protocol):
    """An endless order of clips."""

    def number(self, sample: int) -> int:
        """The clip of a sample."""
        ...


@dataclass(frozen=True)
class Shuffled:
    """Every clip once an epoch, each epoch in another order."""

    clips: int
    seed: int
    purpose: str

    def number(self, sample: int) -> int:
        """The clip of a sample."""
        epoch, place = divmod(sample, self.clips)
        return int(_order(self.clips, self.seed, self.purpose, epoch)[place])


@dataclass(frozen=True)
class Balanced:
    """Every class equally often, its clips shuffled anew whenever they are through.

    Attributes:
        labels: (clips,) the class of each, a number in `names`, which are sorted.
    """

    labels: NDArray[np.int64]
    names: Sequence[str]
    seed: int
    purpose: str

    def number(self, sample: int) -> int:
        """The clip of a sample."""
        there = self._classes
        round_, place = divmod(sample, len(there))
        name, members = there[_order(len(there), self.seed, f"{self.purpose}/class", round_)[place]]
        return int(members[Shuffled(len(members), self.seed, f"{self.purpose}/{name}").number(round_)])

    @cached_property
    def _classes(self) -> list[tuple[str, NDArray[np.int64]]]:
        """Names and clips of the classes that there are, by name."""
        found = ((name, np.flatnonzero(self.labels == code)) for code, name in enumerate(self.names))
        return [(name, members) for name, members in found if len(members)]


@dataclass(frozen=True)
class Replayed:
    """Mostly one plan, and with `share` an older one, whose clips stand behind `first`."""

    plan: Plan
    older: Plan
    first: int
    share: float
    seed: int
    purpose: str

    def number(self, sample: int) -> int:
        """The clip of a sample."""
        if numpy_generator(self.seed, f"{self.purpose}/replay", sample).uniform() < self.share:
            return self.first + self.older.number(sample)
        return self.plan.number(sample)


@lru_cache(maxsize=64)
def _order(count: int, seed: int, purpose: str, epoch: int) -> NDArray[np.int64]:
    return shuffled(count, seed=seed, purpose=purpose, epoch=epoch)
