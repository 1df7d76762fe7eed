"""Which clip goes into which shard: equal counts first, then bytes as equal as equal counts allow.

Pure arithmetic over sizes, in order of key: the same clips are always packed alike. Time grows with the clips and their
logarithm, memory by some 30 bytes a clip.
"""

import heapq
from array import array
from collections.abc import Sequence

import numpy as np


def pack(sizes: Sequence[int], *, clips_per_shard: int) -> list[Sequence[int]]:
    """Numbers of the clips of each shard, ascending; counts differ by one at most, bytes by little.

    The largest clip that is left goes to the lightest shard that has room (Graham's longest-processing-time rule with
    capacities), then pairs are exchanged between the heaviest and the lightest shard while that brings them together.

    Args:
        sizes: bytes of each clip, in order of key; of equal ones the first is packed first.
        clips_per_shard: the most that a shard holds.
    """
    count = -(-len(sizes) // clips_per_shard)
    if not count:
        return []
    least, more = divmod(len(sizes), count)
    capacity = [least + (shard < more) for shard in range(count)]
    shards = [array("q") for _ in range(count)]
    lightest = [(0, shard) for shard in range(count)]
    for number in np.argsort(-np.asarray(sizes, np.int64), kind="stable"):
        weight, shard = heapq.heappop(lightest)
        shards[shard].append(number)
        if len(shards[shard]) < capacity[shard]:
            heapq.heappush(lightest, (weight + sizes[number], shard))
    _level(shards, sizes)
    return [array("q", sorted(shard)) for shard in shards]


def spread(weights: list[int]) -> float:
    """(largest - smallest) / mean."""
    return (max(weights) - min(weights)) * len(weights) / sum(weights) if weights and sum(weights) else 0.0


class _Weights:
    """Weights of shards of which the heaviest and the lightest are known at once, however many there are."""

    def __init__(self, weights: list[int]) -> None:
        self.of = weights
        # What was pushed and is no longer true is passed over when it comes up.
        self._heaviest = [(-weight, -shard) for shard, weight in enumerate(weights)]
        self._lightest = [(weight, shard) for shard, weight in enumerate(weights)]
        heapq.heapify(self._heaviest)
        heapq.heapify(self._lightest)

    def heaviest(self) -> int:
        """Of equal ones the last."""
        while -self._heaviest[0][0] != self.of[-self._heaviest[0][1]]:
            heapq.heappop(self._heaviest)
        return -self._heaviest[0][1]

    def lightest(self) -> int:
        """Of equal ones the first."""
        while self._lightest[0][0] != self.of[self._lightest[0][1]]:
            heapq.heappop(self._lightest)
        return self._lightest[0][1]

    def add(self, shard: int, weight: int) -> None:
        """Make a shard heavier."""
        self.of[shard] += weight
        heapq.heappush(self._heaviest, (-self.of[shard], -shard))
        heapq.heappush(self._lightest, (self.of[shard], shard))


def _level(shards: Sequence["array[int]"], sizes: Sequence[int]) -> None:
    """Exchange pairs between the two extremes until no exchange helps; at most a few for each shard."""
    weights = _Weights([sum(sizes[number] for number in shard) for shard in shards])
    for _ in range(4 * len(shards)):
        heavy, light = weights.heaviest(), weights.lightest()
        pair = _best_pair(shards[heavy], shards[light], sizes, weights.of[heavy] - weights.of[light])
        if pair is None:
            return
        out, back = pair
        shards[heavy][shards[heavy].index(out)] = back
        shards[light][shards[light].index(back)] = out
        moved = sizes[out] - sizes[back]
        weights.add(heavy, -moved)
        weights.add(light, moved)


def _best_pair(heavy: Sequence[int], light: Sequence[int], sizes: Sequence[int], gap: int) -> tuple[int, int] | None:
    """The pair whose exchange halves the gap best; None if every exchange leaves it as wide or wider."""
    ordered = sorted(light, key=lambda number: (sizes[number], number))
    at, best, best_left = 0, None, gap
    for out in sorted(heavy, key=lambda number: (sizes[number], number)):
        # What should come back is half a gap smaller; both lists are sorted, so one walk finds each one's neighbour.
        while at + 1 < len(ordered) and sizes[ordered[at + 1]] <= sizes[out] - gap / 2:
            at += 1
        for back in ordered[at : at + 2]:
            left = abs(gap - 2 * (sizes[out] - sizes[back]))
            if left < best_left:
                best, best_left = (out, back), left
    return best
