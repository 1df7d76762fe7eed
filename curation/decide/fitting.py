"""Weights from verdicts: the least penalised loss, each weight on its own side of zero, and predictions from outside.

A ridge draws the weights towards those in force, so that a few verdicts move them a little and many decide [ours].
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.decide.odds import Odds, probability
from shards.errors import BadInput

FOLDS = 5
RIDGE = 2.0
"""How hard weights are drawn to where they were, in standard deviations of their columns."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Example:
    """A clip and a person's answer.

    Attributes:
        columns: its scores.
        good: whether the person accepted it.
        group: what must not be split over folds, usually its video.
        weight: how many clips it stands for; a random tenth stands for ten each.
    """

    columns: Mapping[str, float]
    good: bool
    group: str
    weight: float = 1.0


def from_outside(
    examples: Sequence[Example], fold: NDArray[np.int64], odds: Odds, names: Sequence[str], trends: Mapping[str, int]
) -> Array:
    """(examples,) P(good) of each by a fit that saw nothing of its fold; NaN where the other folds are all alike."""
    found = np.full(len(examples), np.nan)
    for number in range(FOLDS):
        inside = [one for one, at in zip(examples, fold, strict=True) if at != number]
        if any(fold == number) and {one.good for one in inside} == {True, False}:
            fit = fitted(inside, odds, names, trends)
            found[fold == number] = [
                probability(one.columns, fit) for one, at in zip(examples, fold, strict=True) if at == number
            ]
    return found


def fitted(examples: Sequence[Example], odds: Odds, names: Sequence[str], trends: Mapping[str, int]) -> Odds:
    """The odds with weights of the least penalised loss, each on its own side of zero."""
    from scipy.optimize import minimize

    values = np.array([[one.columns.get(name, np.nan) for name in names] for one in examples], float)
    centres, spreads = _centres_and_spreads(values)
    scaled = np.nan_to_num((values - centres) / spreads)
    good = np.array([one.good for one in examples], float)
    weight = np.array([one.weight for one in examples])
    weight = weight / weight.mean()
    before = np.array([odds.weights.get(name, 0.0) for name in names]) * spreads

    def loss(parameters: Array) -> tuple[float, Array]:
        log_odds = parameters[0] + scaled @ parameters[1:]
        wrong = weight * (1 / (1 + np.exp(-log_odds.clip(-60, 60))) - good)
        value = float((weight * (np.logaddexp(0, log_odds) - good * log_odds)).sum())
        away = parameters[1:] - before
        return value + RIDGE / 2 * float(away @ away), np.concatenate([[wrong.sum()], scaled.T @ wrong + RIDGE * away])

    bounds = [(None, None), *((0, None) if trends[name] > 0 else (None, 0) for name in names)]
    found = minimize(loss, np.concatenate([[0.0], before]), jac=True, bounds=bounds, method="L-BFGS-B").x
    return odds.model_copy(
        update={
            "intercept": round(float(found[0]), 4),
            "weights": {
                name: round(float(one / spread), 4) for name, one, spread in zip(names, found[1:], spreads, strict=True)
            },
            "centres": {name: round(float(centre), 4) for name, centre in zip(names, centres, strict=True)},
        }
    )


def _centres_and_spreads(values: Array) -> tuple[Array, Array]:
    """The mean and deviation of each column over what was measured of it; 0 and next to nothing where nothing was."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=0), 1)
    centres = np.where(known, values, 0).sum(axis=0) / count
    away = np.where(known, values - centres, 0)
    return centres, np.maximum(np.sqrt((away**2).sum(axis=0) / count), 1e-6)


def usable(examples: Sequence[Example], trends: Mapping[str, int]) -> list[str]:
    """Columns with a trend that at least half of the examples have, and that differ between them."""
    names = []
    for name in sorted(trends):
        values = [value for one in examples if (value := one.columns.get(name, float("nan"))) == value]
        if 2 * len(values) >= len(examples) and np.std(values) > 1e-9:
            names.append(name)
    if not names:
        raise BadInput("no clip with a verdict has a usable score", remedy="see `clapboard explain` for one of them")
    return names


def folds(examples: Sequence[Example]) -> NDArray[np.int64]:
    """(examples,) a fold for each group, the good and the bad spread evenly; the same for the same examples."""
    groups = sorted({one.group for one in examples})
    share = {group: np.mean([one.good for one in examples if one.group == group]) for group in groups}
    ranked = sorted(groups, key=lambda group: (share[group], group))
    number = {group: at % FOLDS for at, group in enumerate(ranked)}
    return np.array([number[one.group] for one in examples])
