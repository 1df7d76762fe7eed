"""Which clip goes into which shard: equal counts first, then bytes as equal as equal counts allow.

Pure arithmetic over (key, size): the same clips are always packed alike, in whatever order they come.
"""

import heapq
from collections.abc import Mapping


def pack(sizes: Mapping[str, int], *, clips_per_shard: int) -> list[list[str]]:
    """Keys of each shard, sorted; counts differ by one at most, bytes by little.

    The largest clip that is left goes to the lightest shard that has room (Graham's longest-processing-time rule with
    capacities), then pairs are exchanged between the heaviest and the lightest shard while that brings them together.
    """
    count = -(-len(sizes) // clips_per_shard)
    if not count:
        return []
    least, more = divmod(len(sizes), count)
    capacity = [least + (shard < more) for shard in range(count)]
    shards: list[list[str]] = [[] for _ in range(count)]
    lightest = [(0, shard) for shard in range(count)]
    for key in sorted(sizes, key=lambda key: (-sizes[key], key)):
        weight, shard = heapq.heappop(lightest)
        shards[shard].append(key)
        if len(shards[shard]) < capacity[shard]:
            heapq.heappush(lightest, (weight + sizes[key], shard))
    _level(shards, sizes)
    return [sorted(shard) for shard in shards]


def spread(weights: list[int]) -> float:
    """(largest - smallest) / mean."""
    return (max(weights) - min(weights)) * len(weights) / sum(weights) if weights and sum(weights) else 0.0


def _level(shards: list[list[str]], sizes: Mapping[str, int]) -> None:
    """Exchange pairs between the two extremes until no exchange helps; at most a few for each shard."""
    weights = [sum(sizes[key] for key in shard) for shard in shards]
    for _ in range(4 * len(shards)):
        heavy = max(range(len(shards)), key=lambda one: (weights[one], one))
        light = min(range(len(shards)), key=lambda one: (weights[one], one))
        gap = weights[heavy] - weights[light]
        pair = _best_pair(shards[heavy], shards[light], sizes, gap)
        if pair is None:
            return
        out, back = pair
        shards[heavy][shards[heavy].index(out)] = back
        shards[light][shards[light].index(back)] = out
        moved = sizes[out] - sizes[back]
        weights[heavy] -= moved
        weights[light] += moved


def _best_pair(heavy: list[str], light: list[str], sizes: Mapping[str, int], gap: int) -> tuple[str, str] | None:
    """The pair whose exchange halves the gap best; None if every exchange leaves it as wide or wider."""
    ordered = sorted(light, key=lambda key: (sizes[key], key))
    at, best, best_left = 0, None, gap
    for out in sorted(heavy, key=lambda key: (sizes[key], key)):
        # What should come back is half a gap smaller; both lists are sorted, so one walk finds each one's neighbour.
        while at + 1 < len(ordered) and sizes[ordered[at + 1]] <= sizes[out] - gap / 2:
            at += 1
        for back in ordered[at : at + 2]:
            left = abs(gap - 2 * (sizes[out] - sizes[back]))
            if left < best_left:
                best, best_left = (out, back), left
    return best
