"""Pairs of times that lie close to each other: what several metrics count."""

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]


def pairs(first: Times, second: Times, *, within_s: float, inclusive: bool = False) -> list[tuple[int, int]]:
    """Places of rising times that lie less than `within_s` apart (or just so much), each in one pair at most.

    Each time of `first` takes the earliest of `second` that is left for it; for rising times no other choice makes
    more pairs.
    """
    found, at = [], 0
    reach = within_s + (1e-9 if inclusive else -1e-9)
    for place, time in enumerate(first):
        while at < len(second) and second[at] < time - reach:
            at += 1
        if at < len(second) and second[at] <= time + reach:
            found.append((place, at))
            at += 1
    return found


def union_share(first: Times, second: Times, together: int) -> float:
    """Intersection over union of two sets of times of which `together` pairs match; 0 where both are empty."""
    union = len(first) + len(second) - together
    return together / union if union > 0 else 0.0
