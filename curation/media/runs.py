"""Where a sound's samples lie, from stamps that are coarse, wobble, drift and leap: pure arithmetic, no samples.

A stamp less the length of all samples before it says where the first sample lies. In a good file all stamps say the
same, give or take their rounding. Where they begin to say something else and go on saying it, samples are missing: a
hole. What comes and goes is the wobble of live capture, and the samples go on without a seam. What grows slowly is a
clock that runs at another rate than the samples: the run follows it, so its sound is never far from its picture [ours].
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

GAP_S = 0.015
"""Stamps of good files wobble by less than this; what is more, and stays, is a hole. An AAC packet lasts 0.021 s."""

AROUND = 16
"""Packets on either side of a hole whose medians tell it from wobble: a third of a second [ours]."""

FEWEST = 4
"""Fewer of them tell no hole that is smaller than `SURE_S` [ours]."""

SURE_S = 0.25
"""No wobble is so large: one packet may tell such a hole [ours]."""

NOISE = 4.0
"""A hole leaps by so many times the spread of its neighbours [ours]."""

BRIDGED_S = 0.1
"""Stamps of live capture that are off by no more, and come back, are a wobble: no sound is missing [ours]."""

SOON = 150
"""So many packets later they are back: three seconds [ours]."""

DRIFT_S = 0.002
"""A run follows its stamps if they drift by more [ours]; a picture lasts 0.04 s."""

EXACT_S = 0.001
"""Drift is followed from the median of so many packets to the next that it is known to this [ours]."""

FASTEST = 0.005
"""No clock runs away by more, and the ear begins to hear it: such stamps are guesses, and not followed [ours]."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Run:
    """Samples without a hole between them.

    Attributes:
        first, last: the samples of the track in it, [first, last).
        at_s: where sample number `first` lies, if the run does not drift.
        knots, late_s: by how much more each of some samples lies later; between them it is linear. Empty without drift.
        wobble_s: how far stamps lie off, 95 of 100 of them, or some in a row.
    """

    first: int
    last: int
    at_s: float
    knots: Array
    late_s: Array
    wobble_s: float


def runs_of(starts: NDArray[np.int64], stamps_s: Array, *, samples: int, rate_hz: int) -> list[Run]:
    """The runs of a track, in the order of its samples.

    Args:
        starts: (packets,) number of the first sample of each.
        stamps_s: (packets,) its stamp; NaN where it has none.
        samples: of the whole track.
        rate_hz: samples a second.
    """
    known = ~np.isnan(stamps_s)
    if not known.any():
        return [Run(0, samples, 0.0, np.zeros(0), np.zeros(0), 0.0)]
    starts, offsets_s = starts[known], stamps_s[known] - starts[known] / rate_hz
    edges = [0, *_holes(offsets_s), len(starts)]
    firsts = [0, *(int(starts[edge]) for edge in edges[1:-1]), samples]
    return [
        _run(starts[one:other], offsets_s[one:other], first, last, rate_hz)
        for one, other, first, last in zip(edges, edges[1:], firsts, firsts[1:], strict=False)
    ]


def _holes(offsets_s: Array) -> list[int]:
    """Numbers of the packets behind a hole, in order."""
    waiting, found = [(0, len(offsets_s))], list[int]()
    while waiting:
        first, last = waiting.pop()
        splits = [first + at for at in _splits(offsets_s[first:last])]
        found += splits
        if splits:
            waiting += pairwise([first, *splits, last])
    return _lasting(offsets_s, sorted(found))


def _splits(offsets_s: Array) -> list[int]:
    """The clear ones: packets from which on offsets are others than before them."""
    count = len(offsets_s)
    if count < 2 or np.ptp(offsets_s) <= GAP_S:
        return []
    before, after = _medians_around(offsets_s)
    leaps = np.abs(after - before)
    numbers = np.arange(1, count)
    few = np.minimum(numbers, count - numbers) < FEWEST
    clear = np.flatnonzero((leaps > max(GAP_S, NOISE * _spread(offsets_s))) & (~few | (leaps > SURE_S))) + 1
    groups = np.split(clear, np.flatnonzero(np.diff(clear) > 1) + 1) if len(clear) else []
    return sorted({_best_split(offsets_s, int(group[leaps[group - 1].argmax()])) for group in groups})


def _best_split(offsets_s: Array, near: int) -> int:
    """Where two constants fit best around a packet, by least squares."""
    first, last = max(0, near - AROUND), min(len(offsets_s), near + AROUND)
    part = offsets_s[first:last]
    count, sums = np.arange(1, len(part)), np.cumsum(part)
    left, right = sums[:-1], sums[-1] - sums[:-1]
    return first + int((left**2 / count + right**2 / (len(part) - count)).argmax()) + 1


def _lasting(offsets_s: Array, holes: list[int]) -> list[int]:
    """Without the pairs of which the second undoes the first, soon and of the size of a wobble."""
    kept = list[int]()
    edges = [*holes, len(offsets_s)]
    number = 0
    while number < len(holes):
        begin = kept[-1] if kept else 0
        one, other = edges[number], edges[number + 1]
        before, there = np.median(offsets_s[begin:one]), np.median(offsets_s[one:other])
        if other < len(offsets_s) and other - one <= SOON and abs(there - before) <= BRIDGED_S:
            back = np.median(offsets_s[other : edges[number + 2]])
            if abs(back - before) <= GAP_S:
                number += 2
                continue
        kept.append(one)
        number += 1
    return kept


def _medians_around(offsets_s: Array) -> tuple[Array, Array]:
    """Medians of up to `AROUND` offsets before and from each packet but the first on."""
    padded = np.concatenate([np.full(AROUND, np.nan), offsets_s, np.full(AROUND, np.nan)])
    medians = np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, AROUND)[1:-1], axis=1)
    # Window n ends before packet n + 1.
    return medians[: len(offsets_s) - 1], medians[AROUND : AROUND + len(offsets_s) - 1]


def _spread(offsets_s: Array) -> float:
    """How far offsets usually lie from their neighbours' median, as a standard deviation."""
    if len(offsets_s) < 2 * FEWEST:
        return 0.0
    padded = np.pad(offsets_s, AROUND // 2, mode="edge")
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, AROUND + 1), axis=1)
    # A median absolute deviation is 0.6745 standard deviations of a normal distribution.
    return float(np.median(np.abs(offsets_s - around[: len(offsets_s)]))) / 0.6745


def _run(starts: NDArray[np.int64], offsets_s: Array, first: int, last: int, rate_hz: int) -> Run:
    noise_s = _spread(offsets_s)
    at_s = float(np.median(offsets_s))
    knots, late_s = _drift(starts, offsets_s - at_s, noise_s, rate_hz)
    rest = offsets_s - at_s - (np.interp(starts, knots, late_s) if len(knots) else 0.0)
    return Run(first, last, at_s + first / rate_hz, knots, late_s, _wobble(rest))


def _wobble(rest_s: Array) -> float:
    """How far stamps lie off: most of them, or some in a row; of few stamps nobody knows which lies in the middle."""
    if len(rest_s) < 2 * AROUND:
        return float(np.ptp(rest_s))
    rows = np.lib.stride_tricks.sliding_window_view(rest_s, min(len(rest_s), 2 * FEWEST + 1))
    in_a_row = np.abs(np.median(rows, axis=1)).max()
    return float(max(np.quantile(np.abs(rest_s), 0.95), in_a_row))


def _drift(starts: NDArray[np.int64], late_s: Array, noise_s: float, rate_hz: int) -> tuple[Array, Array]:
    """By how much samples lie later, at knots; nothing where that is not sure, too little to matter, or too much."""
    nothing = np.zeros(0), np.zeros(0)
    blocks = len(starts) // max(2 * AROUND, round((noise_s / EXACT_S) ** 2))
    if blocks < 2:
        return nothing
    parts = np.array_split(np.arange(len(starts)), blocks)
    knots = np.array([starts[part].mean() for part in parts])
    medians = np.array([np.median(late_s[part]) for part in parts])
    slopes = np.diff(medians) / np.diff(knots)
    error_s = noise_s / float(np.sqrt(len(parts[0])))
    if np.ptp(medians) < DRIFT_S + NOISE * error_s or np.abs(slopes).max() * rate_hz > FASTEST:
        return nothing
    ends = np.array([starts[0], starts[-1]], np.float64)
    outer = medians[[0, -1]] + slopes[[0, -1]] * (ends - knots[[0, -1]])
    return np.concatenate([ends[:1], knots, ends[1:]]), np.concatenate([outer[:1], medians, outer[1:]])
