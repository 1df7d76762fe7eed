"""A study's table: one line for each arm over its seeds, with intervals drawn over films and seeds; and its answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from flows.study.arms import Group
from flows.study.data import StudyData
from flows.study.results import ArmResult, Probed
from flows.study.settings import StudySettings

_DRAWS = 2000
_SEED = 2_508


@dataclass(frozen=True, slots=True)
class Answer:
    """The smallest share of the curated films with which two stages reach what the whole set reaches alone.

    Attributes:
        share: at which the mean of two stages first is at least that of the whole set alone; None where it never is.
        low, high: of the shares that the bootstrap's draws say, the 2.5th and 97.5th percentile; infinite for never.
        never: the share of draws in which no share reached it.
    """

    share: float | None
    low: float
    high: float
    never: float


def table(
    results: Sequence[ArmResult], data: StudyData, settings: StudySettings, probes: Sequence[Probed] = ()
) -> list[dict[str, str]]:
    """Arms in the order of their first result; with probes on filmed videos, what a shifted sound costs there."""
    rows = []
    for name, some in by_arm(results).items():
        low, high = interval(some)
        share = some[0].curated_share
        rows.append(
            {
                "arm": name,
                "seeds": str(len(some)),
                "reviewer min": f"{minutes(share, data, settings):.1f}",
                "F1": f"{f1_of(some):.3f} [{low:.3f}, {high:.3f}]",
                "error ms": f"{np.nanmedian([one.error_ms for one in some]):.0f}",
                "Frechet motion": f"{np.mean([one.frechet_motion for one in some]):.3f}",
                "shift gap": f"{np.mean([one.shift_gap for one in some]):+.4f}",
            }
            | _filmed([one for one in probes if one.arm == name], asked=bool(probes))
        )
    return rows


def _filmed(probes: Sequence[Probed], *, asked: bool) -> dict[str, str]:
    """What a shifted and a swapped sound cost on filmed videos, over the seeds: mean and spread of the means."""
    if not asked:
        return {}
    found = {}
    for what in ("shifted", "swapped"):
        gaps = [getattr(one.probe, what) - one.probe.matched for one in probes]
        spread = np.std(gaps, ddof=1) / np.sqrt(len(gaps)) if len(gaps) > 1 else np.nan
        found[f"filmed, {what}"] = f"{np.mean(gaps):+.5f} ± {spread:.5f}" if gaps else "not probed"
    return found


def by_arm(results: Iterable[ArmResult]) -> dict[str, list[ArmResult]]:
    """The seeds of every arm, arms in the order of their first result."""
    found: dict[str, list[ArmResult]] = {}
    for one in results:
        found.setdefault(one.arm, []).append(one)
    return found


def minutes(share: float, data: StudyData, settings: StudySettings) -> float:
    """What a share of the curated films cost reviewers: all clips that they were shown for it, taken or not."""
    return share * data.reviewed.shown * settings.answer_s / 60


def f1_of(results: Sequence[ArmResult]) -> float:
    """F1 of all strikes of all seeds."""
    return float(_f1(np.array([one.films for one in results]).sum(axis=(0, 1))))


def interval(results: Sequence[ArmResult]) -> tuple[float, float]:
    """95 % bootstrap of F1: seeds are drawn, and of each the films."""
    low, high = np.percentile(_drawn(results), [2.5, 97.5])
    return float(low), float(high)


def difference(results: Sequence[ArmResult], others: Sequence[ArmResult]) -> tuple[float, float, float]:
    """F1 of one arm less that of another, with its 95 % interval; the same films are drawn for both."""
    values = _drawn(results) - _drawn(others)
    low, high = np.percentile(values, [2.5, 97.5])
    return f1_of(results) - f1_of(others), float(low), float(high)


def answer(results: Sequence[ArmResult]) -> Answer:
    """At which share two stages meet the whole curated set alone."""
    arms = by_arm(results)
    alone = next(some for some in arms.values() if some[0].group == Group.CURATED_ONLY and some[0].curated_share == 1)
    both = sorted((some for some in arms.values() if is_main(some[0])), key=lambda some: some[0].curated_share)
    shares = np.array([some[0].curated_share for some in both] + [np.inf])
    bar = _drawn(alone)
    reached = np.array([_drawn(some) >= bar for some in both] + [np.ones_like(bar, bool)])
    drawn = shares[reached.argmax(axis=0)]
    low, high = np.percentile(drawn, [2.5, 97.5], method="nearest")
    first = next((some[0].curated_share for some in both if f1_of(some) >= f1_of(alone)), None)
    return Answer(first, float(low), float(high), float(np.isinf(drawn).mean()))


def is_main(one: ArmResult) -> bool:
    """Whether it is an arm of both stages as users train them."""
    return one.group == Group.TWO_STAGES and one.arm.startswith("auto")


def _drawn(results: Sequence[ArmResult]) -> NDArray[np.float64]:
    """(draws,) F1 of each draw; the draws are the same for all arms with so many seeds and films."""
    films = np.array([one.films for one in results])
    totals = [films[seeds][:, chosen].sum(axis=(0, 1)) for seeds, chosen in _draws(*films.shape[:2])]
    return np.array([_f1(total) for total in totals])


@cache
def _draws(seeds: int, films: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Of each draw which seeds, and which films, the same for all of them: a film that is hard is hard for all."""
    random = np.random.default_rng(_SEED)
    return [(random.integers(seeds, size=seeds), random.integers(films, size=films)) for _ in range(_DRAWS)]


def _f1(total: NDArray[np.int64]) -> float:
    found, true, hits = total
    return float(2 * hits / max(found + true, 1))
