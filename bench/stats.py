"""Figures of how well a number tells right from wrong."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
RESAMPLINGS = 400


def auc(good: Values, bad: Values) -> float:
    """The chance that a right case has the higher value, ties counted half; what was not measured is lowest."""
    good, bad = (np.nan_to_num(one, nan=-np.inf) for one in (good, bad))
    above = (good[:, None] > bad[None]).mean() + 0.5 * (good[:, None] == bad[None]).mean()
    return float(above)


def auc_interval(good: Values, bad: Values, *, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the AUC by resampling both."""
    random = np.random.default_rng(seed)
    found = [
        auc(good[random.integers(len(good), size=len(good))], bad[random.integers(len(bad), size=len(bad))])
        for _ in range(RESAMPLINGS)
    ]
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def at_precision(good: Values, bad: Values, *, precision: float) -> tuple[float, float]:
    """(recall, false accepts), shares of right and of wrong cases above the lowest edge that keeps the precision, where
    right and wrong are equally common; (0, 0) where no edge keeps it."""
    best = (0.0, 0.0)
    for edge in np.unique(np.concatenate([good, bad])):
        right, wrong = float((good >= edge).mean()), float((bad >= edge).mean())
        if right and right / (right + wrong) >= precision and right > best[0]:
            best = (right, wrong)
    return best
