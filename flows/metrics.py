"""What a home looks like now, for Prometheus: read from the ledger and the runs' logs whenever somebody asks.

Nothing is counted in memory, so a restart loses nothing and any number of machines may serve it. Numbers that only grow
by more work are gauges all the same: a retry, a takedown or another policy takes some of them back.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from curation.accounting.cost import read_cost
from curation.accounting.funnel import funnel
from curation.home.folder import Home
from curation.ledger.open import Ledger
from curation.ledger.tables import VerdictRow, Video
from curation.review.progress import progress
from curation.settings.review import ReviewSettings
from curation.verdicts.answers import DECIDING
from training.loop.log import METRICS
from training.settings.config import Stage
from training.stages.result import stage_folder

TAIL_BYTES = 65_536
"""Of a run's log: the last lines say all that is asked, and a log of a million steps has 200 MB."""

PREFIX = "clapboard"


def registry_of(home: Home, settings: ReviewSettings) -> CollectorRegistry:
    """A registry that reads a home each time it is asked.

    Raises:
        BadInput: the home has no ledger that can be opened.
    """
    registry = CollectorRegistry()
    registry.register(HomeCollector(home, settings))
    return registry


class HomeCollector(Collector):
    """The metrics of a home; `settings` says which classes want how many clips."""

    def __init__(self, home: Home, settings: ReviewSettings) -> None:
        self._home, self._settings = home, settings

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All of them."""
        with self._home.ledger(must_exist=True) as ledger:
            yield _items(ledger)
            yield from self._queue(ledger)
            yield from _media(ledger)
        yield from _disk(self._home.root)
        yield from _cost(self._home.root)
        yield from _training(self._home.training)

    def describe(self) -> Sequence[GaugeMetricFamily]:
        """Nothing, so that a registry does not read the whole home to learn names."""
        return []

    def _queue(self, ledger: Ledger) -> Iterator[GaugeMetricFamily]:
        found = progress(ledger, self._settings)
        states = {one: getattr(found, one) for one in ("waiting", "disputed", "accepted", "rejected")}
        yield _family("review_clips", "Clips of the review queue by where they stand.", "state", states)
        lacking = {one.label: max(one.target - one.accepted, 0) for one in found.classes if one.target}
        if lacking:
            yield _family("review_lacking_clips", "Accepted clips that a class still lacks.", "label", lacking)
        yield _single("review_precision", "Share of audited clips that people accept.", found.precision.value)


def _items(ledger: Ledger) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        f"{PREFIX}_items",
        "Items by stage of the funnel and outcome; the outcomes of a stage add up to what came in.",
        labels=("stage", "outcome"),
    )
    for stage in funnel(ledger):
        for outcome, count in stage.outcomes.items():
            family.add_metric((re.sub(r"\W+", "_", stage.name), outcome), count)
    return family


def _media(ledger: Ledger) -> Iterator[GaugeMetricFamily]:
    with ledger.session() as session:
        fetched = session.execute(select(func.count(Video.bytes), func.coalesce(func.sum(Video.bytes), 0))).one()
        asked = VerdictRow.verdict.in_(DECIDING), VerdictRow.seconds.is_not(None)
        looked = session.execute(select(func.count(), func.sum(VerdictRow.seconds)).where(*asked)).one()
    yield _single("fetched_bytes", "Bytes of all videos that were fetched, kept or not.", float(fetched[1]))
    if looked[0]:
        yield _single("review_seconds_per_clip", "What an answer costs a reviewer, on average.", looked[1] / looked[0])


def _disk(root: Path) -> Iterator[GaugeMetricFamily]:
    found = shutil.disk_usage(root)
    yield _single("disk_free_bytes", "Free on the disk of the home.", found.free)
    yield _single("disk_size_bytes", "Size of the disk of the home.", found.total)


def _cost(root: Path) -> Iterator[GaugeMetricFamily]:
    cost = read_cost(root)
    if cost is None:
        return
    yield _family("curate_seconds", "Seconds of the last curation run by step.", "step", cost.seconds)
    yield _single("curate_ended_timestamp_seconds", "When the last curation run ended.", cost.ended_s)
    if cost.clips:
        told = "Seconds of the last run for each clip that is accepted."
        yield _single("curate_seconds_per_clip", told, sum(cost.seconds.values()) / cost.clips)


def _training(runs_root: Path) -> Iterator[GaugeMetricFamily]:
    """Of the run of each stage whose log was written to last."""
    names = {
        "step": ("training_step", "Steps done."),
        "loss": ("training_loss", "Loss of the last step."),
        "clips_per_s": ("training_clips_per_second", "Clips a second over the last logged steps."),
        "stall": ("training_stall_ratio", "Share of time in which the device waited for data."),
        "shift_gap": ("training_shift_gap", "What a shifted sound costs, by the last probe."),
    }
    families = {
        key: GaugeMetricFamily(f"{PREFIX}_{name}", told, labels=("stage", "run")) for key, (name, told) in names.items()
    }
    written = GaugeMetricFamily(
        f"{PREFIX}_training_written_timestamp_seconds", "When the run last wrote its log.", labels=("stage", "run")
    )
    for stage in Stage:
        logs = sorted((runs_root / stage_folder(stage)).glob(f"*/{METRICS}"), key=lambda log: log.stat().st_mtime)
        for log in logs[-1:]:
            labels = (str(int(stage)), log.parent.name)
            written.add_metric(labels, log.stat().st_mtime)
            for key, value in _newest(log).items():
                if key in families:
                    families[key].add_metric(labels, value)
    for family in (*families.values(), written):
        if family.samples:
            yield family


def _newest(log: Path) -> dict[str, float]:
    """The newest value of everything that the end of a log tells."""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    found: dict[str, float] = {}
    # The first may have lost its beginning, the last may still be being written.
    for line in lines:
        try:
            values = json.loads(line)
        except ValueError:
            continue
        values |= values.pop("probe", None) or {}
        found |= {key: float(value) for key, value in values.items() if isinstance(value, int | float)}
    return found


def _family(name: str, told: str, label: str, values: dict[str, int] | dict[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", told, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family


def _single(name: str, told: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", told, value=value)
