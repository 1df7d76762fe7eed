"""Fit P(good) to people's verdicts, and take the edges of the bands from the precision that is wanted.

A logistic whose weights may only point the way their columns do (more synchrony never makes a clip worse), drawn
towards the policy in force, so that a few verdicts move it a little and many decide [ours]. Nothing is judged by a
model that saw it: every figure comes from folds that leave whole videos out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.decide.policy import Policy, probability
from shards.errors import BadInput

FOLDS = 5
FEWEST = 20
FEWEST_OF_EACH = 5
RIDGE = 2.0
"""How hard weights are drawn to where they were, in standard deviations of their columns."""

BINS = 10
Z_95 = 1.96

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


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Bin:
    """Clips of about one probability: what was predicted, and what people said."""

    count: int
    predicted: float
    observed: Interval


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted policy and how good it is on folds it was not fitted on.

    Attributes:
        policy: with the fitted weights and edges.
        examples, good: how many verdicts, and how many of them accept.
        precision, recall: of the accepted band; recall is among the clips that people saw.
        accepted_share, review_share: of the clips, weighted.
        reliability: predicted and observed, by tenths of the probability.
        calibration_error: mean distance of the two, weighted.
    """

    policy: Policy
    examples: int
    good: int
    precision: Interval
    recall: Interval
    accepted_share: float
    review_share: float
    reliability: tuple[Bin, ...]
    calibration_error: float


def calibrate(
    examples: Sequence[Example],
    policy: Policy,
    *,
    trends: Mapping[str, int],
    target_precision: float = 0.95,
    review_share: float = 0.2,
) -> Calibration:
    """Fit the policy to the examples.

    Args:
        examples: clips with answers.
        policy: where the fit starts from, and all that it does not change.
        trends: which columns may be used, and which way each points.
        target_precision: of the accepted band, on clips it was not fitted on.
        review_share: the reviewers' budget: at most this share of the clips goes to them.

    Raises:
        BadInput: too few answers, or all alike.
    """
    _check(examples)
    names = _usable(examples, trends)
    held_out = np.full(len(examples), np.nan)
    fold = _folds(examples)
    for number in range(FOLDS):
        inside = [one for one, at in zip(examples, fold, strict=True) if at != number]
        if any(fold == number) and {one.good for one in inside} == {True, False}:
            fitted = _fitted(inside, policy, names, trends)
            held_out[fold == number] = [
                probability(one.columns, fitted) for one, at in zip(examples, fold, strict=True) if at == number
            ]
    good, weight = np.array([one.good for one in examples]), np.array([one.weight for one in examples])
    seen = ~np.isnan(held_out)
    accept_at, review_at = edges(
        held_out[seen], good[seen], weight[seen], target_precision=target_precision, review_share=review_share
    )
    final = _fitted(examples, policy, names, trends).model_copy(update={"accept_at": accept_at, "review_at": review_at})
    return _report(final, held_out[seen], good[seen], weight[seen])


def edges(
    predicted: Array, good: NDArray[np.bool_], weight: Array, *, target_precision: float, review_share: float
) -> tuple[float, float]:
    """(accept_at, review_at): the lowest edge above which the target is met, and the lowest that the budget allows.

    Where no edge meets the target nothing is accepted without a person (accept_at is 1).
    """
    order = np.argsort(-predicted, kind="stable")
    kept, right = np.cumsum(weight[order]), np.cumsum((weight * good)[order])
    meets = np.flatnonzero((right >= target_precision * kept) & _last_of_equals(predicted[order]))
    accept_at = _between(predicted[order], int(meets[-1])) if len(meets) else 1.0
    accepted = kept[meets[-1]] if len(meets) else 0.0
    within = np.flatnonzero((kept - accepted <= review_share * kept[-1]) & _last_of_equals(predicted[order]))
    review_at = _between(predicted[order], int(within[-1])) if len(within) else accept_at
    # What is as sure to be bad as accepted clips are to be good is no question for a person.
    return accept_at, min(max(review_at, round(1 - target_precision, 6)), accept_at)


def wilson(right: float, count: float) -> Interval:
    """Wilson's 95 % interval of a share; of nothing it is [0, 1]."""
    if count <= 0:
        return Interval(float("nan"), 0.0, 1.0)
    share, square = right / count, Z_95**2 / count
    middle = (share + square / 2) / (1 + square)
    half = Z_95 / (1 + square) * np.sqrt(share * (1 - share) / count + square / (4 * count))
    return Interval(float(share), float(max(0.0, middle - half)), float(min(1.0, middle + half)))


def weighted_share(right: NDArray[np.bool_], weight: Array) -> Interval:
    """The weighted share of what is right; the interval counts as many examples as the weights are worth."""
    if not len(weight):
        return wilson(0, 0)
    worth = weight.sum() ** 2 / (weight**2).sum()
    return wilson(float((weight * right).sum() / weight.sum() * worth), float(worth))


def _fitted(examples: Sequence[Example], policy: Policy, names: Sequence[str], trends: Mapping[str, int]) -> Policy:
    """The policy with weights of the least penalised loss, each on its own side of zero."""
    from scipy.optimize import minimize

    values = np.array([[one.columns.get(name, np.nan) for name in names] for one in examples], float)
    centres, spreads = np.nanmean(values, axis=0), np.maximum(np.nanstd(values, axis=0), 1e-6)
    scaled = np.nan_to_num((values - centres) / spreads)
    good = np.array([one.good for one in examples], float)
    weight = np.array([one.weight for one in examples])
    weight = weight / weight.mean()
    before = np.array([policy.weights.get(name, 0.0) for name in names]) * spreads

    def loss(parameters: Array) -> tuple[float, Array]:
        log_odds = parameters[0] + scaled @ parameters[1:]
        wrong = weight * (1 / (1 + np.exp(-log_odds.clip(-60, 60))) - good)
        value = float((weight * (np.logaddexp(0, log_odds) - good * log_odds)).sum())
        away = parameters[1:] - before
        return value + RIDGE / 2 * float(away @ away), np.concatenate([[wrong.sum()], scaled.T @ wrong + RIDGE * away])

    bounds = [(None, None), *((0, None) if trends[name] > 0 else (None, 0) for name in names)]
    found = minimize(loss, np.concatenate([[0.0], before]), jac=True, bounds=bounds, method="L-BFGS-B").x
    return policy.model_copy(
        update={
            "intercept": round(float(found[0]), 4),
            "weights": {
                name: round(float(one / spread), 4) for name, one, spread in zip(names, found[1:], spreads, strict=True)
            },
            "centres": {name: round(float(centre), 4) for name, centre in zip(names, centres, strict=True)},
        }
    )


def _usable(examples: Sequence[Example], trends: Mapping[str, int]) -> list[str]:
    """Columns with a trend that at least half of the examples have, and that differ between them."""
    names = []
    for name in sorted(trends):
        values = [value for one in examples if (value := one.columns.get(name, float("nan"))) == value]
        if 2 * len(values) >= len(examples) and np.std(values) > 1e-9:
            names.append(name)
    if not names:
        raise BadInput("no clip with a verdict has a usable score", remedy="see `clapboard explain` for one of them")
    return names


def _folds(examples: Sequence[Example]) -> NDArray[np.int64]:
    """(examples,) a fold for each group, the good and the bad spread evenly; the same for the same examples."""
    groups = sorted({one.group for one in examples})
    share = {group: np.mean([one.good for one in examples if one.group == group]) for group in groups}
    ranked = sorted(groups, key=lambda group: (share[group], group))
    number = {group: at % FOLDS for at, group in enumerate(ranked)}
    return np.array([number[one.group] for one in examples])


def _report(policy: Policy, predicted: Array, good: NDArray[np.bool_], weight: Array) -> Calibration:
    accepted = predicted >= policy.accept_at
    asked = ~accepted & (predicted >= policy.review_at)
    bins = tuple(_bins(predicted, good, weight))
    total = sum(one.count for one in bins)
    return Calibration(
        policy=policy,
        examples=len(predicted),
        good=int(good.sum()),
        precision=weighted_share(good[accepted], weight[accepted]),
        recall=weighted_share(accepted[good], weight[good]),
        accepted_share=float(weight[accepted].sum() / weight.sum()),
        review_share=float(weight[asked].sum() / weight.sum()),
        reliability=bins,
        calibration_error=sum(one.count * abs(one.predicted - one.observed.value) for one in bins) / max(total, 1),
    )


def _bins(predicted: Array, good: NDArray[np.bool_], weight: Array) -> list[Bin]:
    at = np.minimum((predicted * BINS).astype(int), BINS - 1)
    found = []
    for number in range(BINS):
        inside = at == number
        if inside.any():
            mean = float(np.average(predicted[inside], weights=weight[inside]))
            found.append(Bin(int(inside.sum()), mean, weighted_share(good[inside], weight[inside])))
    return found


def _check(examples: Sequence[Example]) -> None:
    good = sum(one.good for one in examples)
    fewest = min(good, len(examples) - good)
    if len(examples) < FEWEST or fewest < FEWEST_OF_EACH:
        raise BadInput(
            f"{len(examples)} verdicts, {good} of them accept: too few to calibrate on",
            remedy=f"review until there are {FEWEST}, {FEWEST_OF_EACH} of each: clapboard review serve",
        )


def _last_of_equals(ordered: Array) -> NDArray[np.bool_]:
    """Where an edge can lie: behind the last of equal values."""
    return np.append(ordered[1:] != ordered[:-1], True)


def _between(ordered: Array, last: int) -> float:
    """An edge that keeps `ordered[last]` and not what comes behind it."""
    after = ordered[last + 1] if last + 1 < len(ordered) else 0.0
    return round(float((ordered[last] + after) / 2), 6)


def facts(calibration: Calibration) -> dict[str, Any]:
    """A calibration as plain JSON, without the policy."""
    from dataclasses import asdict

    return {name: value for name, value in asdict(calibration).items() if name != "policy"}
