"""Two evaluations of the same benchmark, clip by clip."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shards.errors import BadInput
from training.evaluate.measured import FILM, TRUTH
from training.evaluate.result import RESULT, TABLE
from training.evaluate.statistics import PairedTest, paired_test


@dataclass(frozen=True, slots=True)
class Kept:
    """An evaluation as it was written: protocols by metric, and values by metric and clip."""

    player: str
    benchmark: str
    protocols: Mapping[str, str]
    values: Mapping[str, Mapping[str, float]]
    videos: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a metric says of two runs: the test of first - second, or why there is none."""

    metric: str
    higher_is_better: bool
    clips: int
    test: PairedTest | None
    why_not: str = ""

    def verdict(self, first: str, second: str) -> str:
        """In words."""
        if self.test is None:
            return self.why_not
        if not self.test.difference.tells:
            return "no difference told"
        better = (self.test.difference.value > 0) == self.higher_is_better
        return f"{first if better else second} is better"


def read_evaluation(folder: Path) -> Kept:
    """What `Evaluation.save` left in a folder.

    Raises:
        BadInput: there is none.
    """
    import pyarrow.parquet as pq

    if not (folder / RESULT).is_file():
        raise BadInput(f"{folder} holds no evaluation", remedy="make one: clapboard evaluate RUN_OR_FOLDER")
    said: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    values: dict[str, dict[str, float]] = {}
    videos: dict[str, str] = {}
    whose = TRUTH if said["player"] == TRUTH else FILM
    for row in pq.read_table(folder / TABLE).to_pylist():
        if row["whose"] == whose:
            values.setdefault(row["metric"], {})[row["clip"]] = row["value"]
            videos[row["clip"]] = row["video_id"]
    protocols = {one["name"]: one["protocol"].rpartition("; n = ")[0] for one in said["metrics"]}
    return Kept(said["player"], said["benchmark"], protocols, values, videos)


def compared(first: Kept, second: Kept, *, higher_is_better: Mapping[str, bool]) -> list[Comparison]:
    """Each metric that both have; one whose protocols differ is not compared.

    Raises:
        BadInput: they are of two benchmarks, or share no metric.
    """
    shared = [name for name in first.protocols if name in second.protocols]
    if first.benchmark != second.benchmark or not shared:
        raise BadInput(
            f"{first.player} on {first.benchmark} and {second.player} on {second.benchmark} have no metric in common",
            remedy="evaluate both on the same benchmark with the same metrics",
        )
    return [_one(name, first, second, higher_is_better.get(name, True)) for name in shared]


def _one(name: str, first: Kept, second: Kept, higher: bool) -> Comparison:
    if first.protocols[name] != second.protocols[name]:
        return Comparison(name, higher, 0, None, "protocols differ: not comparable")
    a, b = first.values.get(name, {}), second.values.get(name, {})
    clips = [clip for clip in a if clip in b]
    if not clips:
        return Comparison(name, higher, 0, None, "a figure of the whole set: no value of each clip")
    test = paired_test([a[one] for one in clips], [b[one] for one in clips], [first.videos[one] for one in clips])
    return Comparison(name, higher, len(clips), test)
