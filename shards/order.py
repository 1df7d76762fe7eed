"""In which order training sees clips, as arithmetic: a function of (seed, epoch) and of nothing else.

Draw number d of a run is the same clip on one rank or a thousand, with any number of workers, before and after a
restart; so a run's place in its data is one integer. (The idea is MosaicML Streaming's; the scheme is ours.)
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Order(Protocol):
    """An endless sequence of clip numbers."""

    def __len__(self) -> int:
        """Draws in an epoch."""
        ...

    def at(self, draw: int) -> int:
        """The clip of draw number `draw`, counted from 0 through all epochs."""
        ...


class Shuffled:
    """Every clip once an epoch, in an order of its own each time.

    Neighbours in the order come from `spread` shards, which are read together: 0 mixes all shards, the best shuffle and
    the worst for a disk or a network; a few keep reads near each other.
    """

    def __init__(self, clips_in_shards: Sequence[int], *, seed: int, spread: int = 0) -> None:
        self._sizes = tuple(clips_in_shards)
        self._starts = (0, *accumulate(self._sizes))
        self._seed = seed
        self._spread = spread or max(len(self._sizes), 1)

    def __len__(self) -> int:
        return self._starts[-1]

    def at(self, draw: int) -> int:
        """The clip's number in the index."""
        epoch, place = divmod(draw, len(self))
        return int(self._epoch(epoch)[place])

    def _epoch(self, epoch: int) -> NDArray[np.int64]:
        return _epoch_order(self._sizes, self._starts, self._seed, self._spread, epoch)


class Balanced:
    """Every class equally often, however many clips it has: a round asks each class once, in shuffled order.

    A class gives all its clips before it gives one twice.
    """

    def __init__(self, labels: Sequence[str], *, seed: int) -> None:
        self._members = [
            np.flatnonzero([one == label for one in labels]).astype(np.int64) for label in sorted(set(labels))
        ]
        self._count, self._seed = len(labels), seed

    def __len__(self) -> int:
        return self._count

    def at(self, draw: int) -> int:
        """The clip's number in the index."""
        round_, place = divmod(draw, len(self._members))
        label = int(_small(len(self._members), f"{self._seed}/classes/{round_}")[place])
        members = self._members[label]
        turn, member = divmod(round_, len(members))
        return int(members[_small(len(members), f"{self._seed}/class {label}/{turn}")[member]])


def draws_of(step: int, *, batch: int, rank: int = 0, ranks: int = 1) -> Iterator[int]:
    """The draws of one rank in one step: the batch of a step is the same set for any number of ranks.

    Args:
        step: counted from 0 through the whole run.
        batch: clips of all ranks together.
        rank, ranks: this process, and how many there are.
    """
    return iter(range(step * batch + rank * batch // ranks, step * batch + (rank + 1) * batch // ranks))


@lru_cache(maxsize=4)
def _epoch_order(
    sizes: tuple[int, ...], starts: tuple[int, ...], seed: int, spread: int, epoch: int
) -> NDArray[np.int64]:
    """(clips,) numbers of all clips: shards shuffled, then the clips of each `spread` shards in a row."""
    shards = _permutation(len(sizes), f"{seed}/shards/{epoch}")
    parts = []
    for first in range(0, len(shards), spread):
        group = np.concatenate(
            [np.arange(starts[one], starts[one] + sizes[one]) for one in shards[first : first + spread]]
        )
        parts.append(group[_permutation(len(group), f"{seed}/clips/{epoch}/{first}")])
    return np.concatenate(parts)


def _permutation(count: int, purpose: str) -> NDArray[np.int64]:
    # Philox is counter-based and specified, so that its numbers stay what they are in later versions of numpy.
    key = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:16])
    return np.argsort(np.random.Philox(key=key).random_raw(count), kind="stable")


_small = lru_cache(maxsize=1024)(_permutation)
