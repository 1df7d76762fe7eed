"""Fit P(good) to people's verdicts, and take the edges of the bands from the precision that is wanted.

Nothing is judged by what saw it. P(good) of a clip comes from a fit without its video, and so does the edge that its
precision is counted with: every fold is judged by weights and edges that the other folds chose among themselves. An
edge needs evidence: of many edges one meets any target by luck, above all the one with a single clip behind it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.decide.fitting import FOLDS, Array, Example, fitted, folds, from_outside, usable
from curation.decide.odds import Odds
from shards.errors import BadInput

FEWEST = 20
FEWEST_OF_EACH = 5
FEWEST_VIDEOS = 2
"""Of which clips of each answer come: what holds for the clips of one video need not hold for others."""

LIKELIER_GOOD = 0.5
"""No clip is accepted that is likelier bad than good, however many sure ones beside it would make up for it."""

SLACK = 0.03
"""How far below its target a precision may turn out."""

Z_EVIDENCE = 1.2816
"""An edge stands when precisions below the target less `SLACK` are ruled out, one-sidedly and at 90 % [ours]."""

EDGES = ("accept_at", "review_at")
BINS = 10
Z_95 = 1.96


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
    """Fitted odds and how good they are on folds that neither weights nor edges were chosen on.

    Attributes:
        odds: with the fitted weights and edges.
        examples, good: how many verdicts, and how many of them accept.
        precision, recall: of the accepted band; recall is among the clips that people saw.
        accepted_share, review_share: of the clips, weighted.
        more_verdicts: 0 where an accept edge stands; else about how many more it takes, if they are like these; None
            where nothing hints that more of the same would do.
        reliability: predicted and observed, by tenths of the probability.
        calibration_error: mean distance of the two, weighted.
    """

    odds: Odds
    examples: int
    good: int
    precision: Interval
    recall: Interval
    accepted_share: float
    review_share: float
    more_verdicts: int | None
    reliability: tuple[Bin, ...]
    calibration_error: float


def calibrate(
    examples: Sequence[Example],
    odds: Odds,
    *,
    trends: Mapping[str, int],
    target_precision: float = 0.95,
    review_share: float = 0.2,
) -> Calibration:
    """Fit the odds to the examples.

    An accept edge is set when the clips above it are enough evidence, and when most of the folds, each left out in
    turn, find one too; else `accept_at` is 1, and nothing is accepted without a person.

    Args:
        examples: clips with answers.
        odds: where the fit starts from; of a policy all that is not weights and edges stays.
        trends: which columns may be used, and which way each points.
        target_precision: of the accepted band, on clips it was not fitted on.
        review_share: the reviewers' budget: at most this share of the clips goes to them.

    Raises:
        BadInput: too few answers, or of too few videos, or all alike.
    """
    _check(examples)
    names, fold = usable(examples, trends), folds(examples)
    judged = _Judged.of(examples, from_outside(examples, fold, odds, names, trends))
    accepted = np.zeros(len(examples), bool)
    found = 0
    for number in range(FOLDS):
        inside = [one for one, at in zip(examples, fold, strict=True) if at != number]
        among = _Judged.of(inside, from_outside(inside, folds(inside), odds, names, trends))
        edge, _ = edges(*among.seen, target_precision=target_precision, review_share=review_share)
        accepted |= (fold == number) & (judged.predicted >= edge)
        found += edge < 1
    most = 2 * found > FOLDS
    at = edges(*judged.seen, target_precision=target_precision, review_share=review_share, accepting=most)
    final = fitted(examples, odds, names, trends).model_copy(update=dict(zip(EDGES, at, strict=True)))
    more = 0 if at[0] < 1 else _more(*judged.seen, target_precision=target_precision)
    return _report(final, judged, accepted & (at[0] < 1), more)


def edges(
    predicted: Array,
    good: NDArray[np.bool_],
    weight: Array,
    *,
    target_precision: float,
    review_share: float,
    accepting: bool = True,
) -> tuple[float, float]:
    """(accept_at, review_at): the lowest edge above which the target is met, and the lowest that the budget allows.

    Where no edge meets the target with enough evidence, or `accepting` is off, nothing is accepted without a person
    (accept_at is 1).
    """
    if not len(predicted):
        return 1.0, 1.0
    order = np.argsort(-predicted, kind="stable")
    kept, last = np.cumsum(weight[order]), _last_of_equals(predicted[order])
    share, worth = _above(good[order], weight[order])
    enough = worth >= _worth_needed(share, target_precision) * (1 - 1e-9)
    likely = predicted[order] >= LIKELIER_GOOD
    meets = np.flatnonzero(enough & last & likely) if accepting else np.zeros(0, int)
    accept_at = 1.0
    if len(meets):
        # Below the last clip that was seen nothing is known.
        lowest = predicted[order][meets[-1]]
        accept_at = max(_between(predicted[order], int(meets[-1]), beyond=lowest), LIKELIER_GOOD)
    accepted = kept[meets[-1]] if len(meets) else 0.0
    within = np.flatnonzero((kept - accepted <= review_share * kept[-1]) & last)
    review_at = _between(predicted[order], int(within[-1]), beyond=0.0) if len(within) else accept_at
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


@dataclass(frozen=True, slots=True)
class _Judged:
    """Examples with their P(good) from outside, each (examples,)."""

    predicted: Array
    good: NDArray[np.bool_]
    weight: Array

    @classmethod
    def of(cls, examples: Sequence[Example], predicted: Array) -> "_Judged":
        good, weight = [one.good for one in examples], [one.weight for one in examples]
        return cls(predicted, np.array(good), np.array(weight))

    @property
    def seen(self) -> tuple[Array, NDArray[np.bool_], Array]:
        """Those that have a prediction."""
        known = ~np.isnan(self.predicted)
        return self.predicted[known], self.good[known], self.weight[known]


def _above(good: NDArray[np.bool_], weight: Array) -> tuple[Array, Array]:
    """(examples,) of the best so many: the weighted share that is good, and how many clips the weights are worth."""
    kept = np.cumsum(weight)
    return np.cumsum(weight * good) / kept, kept**2 / np.cumsum(weight**2)


def _worth_needed(share: Array, target: float) -> Array:
    """How many clips of which this share is good show that the target holds: the one-sided score test (that of
    Wilson's interval) of target less slack; infinity for shares below the target."""
    bound = max(target - SLACK, 0.0)
    needed = Z_EVIDENCE**2 * bound * (1 - bound) / np.maximum(share - bound, 1e-9) ** 2
    return np.where(share >= target - 1e-12, needed, np.inf)


def _more(predicted: Array, good: NDArray[np.bool_], weight: Array, *, target_precision: float) -> int | None:
    """How many more verdicts it takes if they are like these, judged by the edge that needs the fewest."""
    order = np.argsort(-predicted, kind="stable")
    share, worth = _above(good[order], weight[order])
    times = _worth_needed(share, target_precision) / worth
    fewest = float(times[_last_of_equals(predicted[order])].min())
    # Folds have to find it too, and each sees but a part of the verdicts.
    total = fewest * len(predicted) * FOLDS / (FOLDS - 1)
    return max(1, int(np.ceil(total)) - len(predicted)) if np.isfinite(total) else None


def _report(odds: Odds, judged: _Judged, accepted: NDArray[np.bool_], more: int | None) -> Calibration:
    """`accepted` is (examples,): what edges that were chosen without it let through."""
    predicted, good, weight = judged.seen
    accepted = accepted[~np.isnan(judged.predicted)]
    through = predicted >= odds.accept_at
    asked = ~through & (predicted >= odds.review_at)
    bins = tuple(_bins(predicted, good, weight))
    total = sum(one.count for one in bins)
    return Calibration(
        odds=odds,
        examples=len(predicted),
        good=int(good.sum()),
        precision=weighted_share(good[accepted], weight[accepted]),
        recall=weighted_share(accepted[good], weight[good]),
        accepted_share=float(weight[through].sum() / weight.sum()),
        review_share=float(weight[asked].sum() / weight.sum()),
        more_verdicts=more,
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
    for answer, of in (("accepted", True), ("rejected", False)):
        videos = {one.group for one in examples if one.good is of}
        if len(videos) < FEWEST_VIDEOS:
            raise BadInput(
                f"all {answer} clips are of one video: too few to calibrate on",
                remedy="review clips of more videos: clapboard review serve",
            )


def _last_of_equals(ordered: Array) -> NDArray[np.bool_]:
    """Where an edge can lie: behind the last of equal values."""
    return np.append(ordered[1:] != ordered[:-1], True)


def _between(ordered: Array, last: int, *, beyond: float) -> float:
    """An edge that keeps `ordered[last]` and not what comes behind it; behind the last of all comes `beyond`."""
    kept, after = float(ordered[last]), float(ordered[last + 1]) if last + 1 < len(ordered) else beyond
    middle = (kept + after) / 2
    # Short where that does not put it on the other side of a clip.
    return next((edge for edge in (round(middle, 6), middle) if after < edge <= kept), kept)


def facts(calibration: Calibration) -> dict[str, Any]:
    """A calibration as plain JSON, without the odds; what was not measured is None, as databases know no NaN."""
    return {name: _plain(value) for name, value in asdict(calibration).items() if name != "odds"}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if value != value else value
