"""Intervals and tests that know that the clips of one video are no two witnesses.

Intervals are percentiles of a bootstrap over videos (Efron 1979; whole clusters are drawn), tests are paired and over
videos: the sign-flip permutation test and Wilcoxon's signed ranks, both of scipy. A difference is told where its
interval does not hold 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2_000
LEVEL = 0.95
SEED = 20_403
FEWEST_VIDEOS = 3
"""Of fewer no interval can be had."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval; NaN where there is too little to say one."""

    value: float
    low: float
    high: float

    @property
    def above_zero(self) -> bool:
        """Whether all of the interval lies above 0."""
        return bool(self.low > 0)

    @property
    def tells(self) -> bool:
        """Whether the interval leaves 0 out."""
        return bool(self.low > 0 or self.high < 0)

    def to_json(self) -> dict[str, float]:
        """Plain numbers."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PairedTest:
    """One run against another over the same videos: mean of a - b, and two p values (NaN below three videos)."""

    difference: Estimate
    permutation_p: float
    wilcoxon_p: float
    videos: int


def mean_of(values: Sequence[float] | Values, videos: Sequence[str] | NDArray[np.str_]) -> Estimate:
    """The mean over clips, and its interval by video; values that are NaN count for nothing."""
    given, names = _told(values, videos)
    _, group = np.unique(names, return_inverse=True)
    sums, counts = np.bincount(group, given), np.bincount(group)
    drawn = lambda chosen: sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1)  # noqa: E731 (a formula)
    return _estimate(float(given.mean()) if len(given) else float("nan"), drawn, len(counts), RESAMPLES)


def difference_of(first: Sequence[float] | Values, second: Sequence[float] | Values, videos: Sequence[str]) -> Estimate:
    """The mean of first - second over the clips that have both."""
    return mean_of(np.asarray(first, np.float64) - np.asarray(second, np.float64), videos)


def paired_test(first: Sequence[float], second: Sequence[float], videos: Sequence[str]) -> PairedTest:
    """Whether two runs differ, over the means of each video."""
    from scipy.stats import permutation_test, wilcoxon

    gaps, names = _told(np.asarray(first, np.float64) - np.asarray(second, np.float64), videos)
    of_video = np.array([gaps[names == one].mean() for one in np.unique(names)])
    difference = mean_of(gaps, names)
    if len(of_video) < FEWEST_VIDEOS or not np.any(of_video):
        same = 1.0 if len(of_video) >= FEWEST_VIDEOS else float("nan")
        return PairedTest(difference, same, same, len(of_video))
    flipped = permutation_test(
        (of_video,), np.mean, permutation_type="samples", n_resamples=RESAMPLES * 5, rng=np.random.default_rng(SEED)
    )
    return PairedTest(difference, float(flipped.pvalue), float(wilcoxon(of_video).pvalue), len(of_video))


def estimate(
    statistic: Callable[[NDArray[np.int64]], float], videos: Sequence[str] | NDArray[np.str_], *, resamples: int
) -> Estimate:
    """What `statistic` says of all rows, and its interval where whole videos are drawn anew with replacement.

    Args:
        statistic: of row numbers, some of which may come more than once.
        videos: (rows,) whose each row is.
        resamples: how often videos are drawn.
    """
    names = np.asarray(videos, np.str_)
    groups = [np.flatnonzero(names == one) for one in np.unique(names)]
    value = statistic(np.arange(len(names))) if groups else float("nan")

    def drawn(chosen: NDArray[np.int64]) -> Values:
        return np.array([statistic(np.concatenate([groups[one] for one in row])) for row in chosen])

    return _estimate(value, drawn, len(groups), resamples)


def _estimate(value: float, drawn: Callable[[NDArray[np.int64]], Values], groups: int, resamples: int) -> Estimate:
    if groups < FEWEST_VIDEOS:
        return Estimate(value, float("nan"), float("nan"))
    found = drawn(np.random.default_rng(SEED).integers(groups, size=(resamples, groups)))
    low, high = np.nanpercentile(found, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return Estimate(value, float(low), float(high))


def win_rate(wins: float, pairs: int) -> Estimate:
    """A share with Wilson's score interval (1927), as of answers that are independent."""
    if not pairs:
        return Estimate(float("nan"), 0.0, 1.0)
    from scipy.stats import norm

    z = float(norm.ppf(0.5 + LEVEL / 2))
    share = wins / pairs
    middle = (share + z * z / (2 * pairs)) / (1 + z * z / pairs)
    half = z / (1 + z * z / pairs) * np.sqrt(share * (1 - share) / pairs + z * z / (4 * pairs * pairs))
    return Estimate(share, float(middle - half), float(middle + half))


def _told(
    values: Sequence[float] | Values, videos: Sequence[str] | NDArray[np.str_]
) -> tuple[Values, NDArray[np.str_]]:
    given, names = np.asarray(values, np.float64), np.asarray(videos, np.str_)
    known = np.isfinite(given)
    return given[known], names[known]
