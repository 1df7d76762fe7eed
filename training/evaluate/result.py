"""What an evaluation says: values with intervals, what each control did, and to what a metric is blind on this set.

A metric tells a control from the truth if the 95 % interval of how much better the truth is, paired by clip and drawn
by video, lies wholly above 0; else it is **blind** to it here, and a figure of it says nothing about that fault. Of a
metric that compares sets, half of the videos is the reference: the other half, true, must lie nearer to it than the
same half made worse. Intervals are not corrected for there being several controls.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shards.files import write_atomic
from training.data.clips import shuffled_names
from training.evaluate.base import Metric, SetMetric, applicable
from training.evaluate.films import ClipFormat
from training.evaluate.measured import FILM, TRUTH, Measured
from training.evaluate.statistics import Estimate, difference_of, estimate, mean_of

RESULT, TABLE = "evaluation.json", "evaluation.parquet"
SET_RESAMPLES = 200
NOTHING = Estimate(math.nan, math.nan, math.nan)
VERSION = 1


@dataclass(frozen=True, slots=True)
class ControlResult:
    """What a metric says of a control: its value, and how much better the truth is."""

    value: Estimate
    truth_better_by: Estimate
    told: bool


@dataclass(frozen=True, slots=True)
class MetricResult:
    """What a metric says.

    Attributes:
        name, protocol, higher_is_better: the metric's.
        clips, videos: how many said something.
        film, truth: the player's value and the truth's; of a metric of sets the truth is one half against the other.
        controls: by name.
    """

    name: str
    protocol: str
    higher_is_better: bool
    clips: int
    videos: int
    film: Estimate
    truth: Estimate
    controls: dict[str, ControlResult] = field(default_factory=dict)

    @property
    def blind_to(self) -> list[str]:
        """The controls that it does not tell from the truth here."""
        return [name for name, found in self.controls.items() if not found.told]

    @property
    def blind(self) -> bool:
        """Whether it tells none of them."""
        return bool(self.controls) and len(self.blind_to) == len(self.controls)

    def verdict(self) -> str:
        """In words."""
        if not self.controls:
            return "no controls"
        if self.blind:
            return "blind here"
        return f"blind here to: {', '.join(self.blind_to)}" if self.blind_to else "tells all controls"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluation; `rows` are (clip, video, caption, metric, whose, value), `skipped` videos that cannot be read."""

    benchmark: str
    player: str
    cut: str
    metrics: list[MetricResult]
    rows: list[tuple[str, str, str, str, str, float]]
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def clips(self) -> list[str]:
        """All clips in order."""
        return list(dict.fromkeys(row[0] for row in self.rows))

    def to_json(self) -> dict[str, Any]:
        """As plain values; NaN becomes null."""
        return {
            "version": VERSION,
            "benchmark": self.benchmark,
            "player": self.player,
            "cut": self.cut,
            "skipped": self.skipped,
            "metrics": [_metric_json(one, self.cut) for one in self.metrics],
        }

    def save(self, folder: Path) -> None:
        """Write evaluation.json and evaluation.parquet, each whole or not at all."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        folder.mkdir(parents=True, exist_ok=True)
        names = ("clip", "video_id", "caption", "metric", "whose", "value")
        table = pa.table({name: [row[place] for row in self.rows] for place, name in enumerate(names)})
        held = pa.BufferOutputStream()
        pq.write_table(table, held)
        write_atomic(folder / TABLE, held.getvalue().to_pybytes())
        write_atomic(folder / RESULT, json.dumps(_finite(self.to_json()), indent=1).encode())


def summarised(
    benchmark: str,
    player: str,
    cut: ClipFormat,
    metrics: Sequence[Metric],
    measured: Sequence[Measured],
    skipped: Mapping[str, str] | None = None,
) -> Evaluation:
    """What all clips say together."""
    rows = [
        (one.name, one.video_id, one.caption, metric, whose, value)
        for one in measured
        for (metric, whose), value in one.values.items()
    ]
    said = [_of_set(one, measured) if isinstance(one, SetMetric) else _of_clips(one, measured) for one in metrics]
    return Evaluation(benchmark, player, cut.say(), said, rows, dict(skipped or {}))


def _of_clips(metric: Metric, measured: Sequence[Measured]) -> MetricResult:
    videos = [one.video_id for one in measured]

    def of(whose: str) -> list[float]:
        return [one.values.get((metric.name, whose), math.nan) for one in measured]

    sign = 1 if metric.higher_is_better else -1
    controls = {}
    for control in applicable(metric):
        if any((metric.name, control) in one.values for one in measured):
            better = difference_of(sign * np.array(of(TRUTH)), sign * np.array(of(control)), videos)
            controls[str(control)] = ControlResult(mean_of(of(control), videos), better, better.above_zero)
    said = np.isfinite(np.array([of(FILM), of(TRUTH)])).any(axis=0).tolist()
    told = [one for one, here in zip(measured, said, strict=True) if here]
    return MetricResult(
        metric.name,
        metric.protocol,
        metric.higher_is_better,
        len(told),
        len({one.video_id for one in told}),
        mean_of(of(FILM), videos),
        mean_of(of(TRUTH), videos),
        controls,
    )


def _of_set(metric: SetMetric, measured: Sequence[Measured]) -> MetricResult:
    truths = [one for one in measured if (metric.name, TRUTH) in one.features]
    names = shuffled_names({one.video_id for one in truths})
    reference = set(names[: len(names) // 2])
    near = [one for one in truths if one.video_id in reference]
    far = [one for one in truths if one.video_id not in reference]
    films = [one for one in truths if (metric.name, FILM) in one.features]
    # Of a clip once: a bootstrap asks hundreds of times.
    sums = {
        (one.name, whose): metric.summary(rows)
        for one in truths
        for (name, whose), rows in one.features.items()
        if name == metric.name
    }

    def distance(which: Sequence[Measured], whose: str, to: Sequence[Measured]) -> float:
        return metric.distance([sums[one.name, whose] for one in which], [sums[one.name, TRUTH] for one in to])

    def interval(which: Sequence[Measured], say: Any) -> Estimate:
        if len({one.video_id for one in which}) < 2:
            return NOTHING
        videos = [one.video_id for one in which]
        return estimate(lambda rows: float(say([which[row] for row in rows])), videos, resamples=SET_RESAMPLES)

    controls = {}
    for control in applicable(metric):
        there = [one for one in far if (metric.name, control) in one.features]
        if there and len(reference) > 1:
            worse = interval(there, lambda some, control=control: distance(some, control, near))
            better = interval(
                there, lambda some, control=control: distance(some, control, near) - distance(some, TRUTH, near)
            )
            controls[str(control)] = ControlResult(worse, better, better.above_zero)
    return MetricResult(
        metric.name,
        metric.protocol,
        metric.higher_is_better,
        len(truths),
        len(names),
        interval(films, lambda some: distance(some, FILM, truths)),
        interval(far, lambda some: distance(some, TRUTH, near)) if len(reference) > 1 else NOTHING,
        controls,
    )


def _metric_json(one: MetricResult, cut: str) -> dict[str, Any]:
    return {
        "name": one.name,
        "protocol": f"{cut}; {one.protocol}; n = {one.clips} clips of {one.videos} videos",
        "higher_is_better": one.higher_is_better,
        "clips": one.clips,
        "videos": one.videos,
        "film": one.film.to_json(),
        "truth": one.truth.to_json(),
        "controls": {
            name: {
                "value": found.value.to_json(),
                "truth_better_by": found.truth_better_by.to_json(),
                "told": found.told,
            }
            for name, found in one.controls.items()
        },
        "blind_to": one.blind_to,
        "verdict": one.verdict(),
    }


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
