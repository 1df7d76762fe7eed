"""Which clip is the n-th sample of a run: a pure function of (seed, n), the same for any number of ranks [ours]."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

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
        return _order(self.clips, self.seed, self.purpose, epoch)[place]


@dataclass(frozen=True)
class Balanced:
    """Every class equally often, its clips shuffled anew whenever they are through."""

    labels: Sequence[str]
    seed: int
    purpose: str

    def number(self, sample: int) -> int:
        """The clip of a sample."""
        round_, place = divmod(sample, len(self._classes))
        name = sorted(self._classes)[_order(len(self._classes), self.seed, f"{self.purpose}/class", round_)[place]]
        members = self._classes[name]
        return members[Shuffled(len(members), self.seed, f"{self.purpose}/{name}").number(round_)]

    @cached_property
    def _classes(self) -> dict[str, list[int]]:
        classes: dict[str, list[int]] = defaultdict(list)
        for number, label in enumerate(self.labels):
            classes[label].append(number)
        return classes


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
def _order(count: int, seed: int, purpose: str, epoch: int) -> list[int]:
    return shuffled(count, seed=seed, purpose=purpose, epoch=epoch)
