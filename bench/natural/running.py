"""The run of the benchmark: which clips, measured side by side, and what is said of them."""

import argparse
import csv
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from bench.natural.corpus import IN_SYNC, Filmed, Side, Truth, natural_clips
from bench.natural.measure import GOAL_COLUMN, NAIVE, Found, Job, measure
from bench.natural.outcomes import decisions, goals_of_decisions, said_of_right
from bench.natural.separation import goals_of_separation, left_out, rows
from bench.natural.table import Table
from bench.natural.twins import twins_of
from bench.result import Result
from curation.scores.registry import build
from shards.errors import Unavailable

SCORES = ("motion", "loudness", "sync", "av_align", "diegesis")
DOUBTS = Path(__file__).with_name("doubts.csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which clips, which scores, and where twins are kept."""
    parser.add_argument("--side", choices=[*Side, "all"], default=Side.TEST, help="which side of the split")
    parser.add_argument("--limit", type=int, default=0, help="the first so many clips; 0 takes all")
    parser.add_argument("--workers", type=int, default=2, help="processes that measure")
    parser.add_argument("--scores", nargs="+", default=list(SCORES), help="what is measured, by name")
    parser.add_argument("--twins", type=Path, help="where twins are kept for the next run (default: nowhere)")


def run(options: argparse.Namespace) -> Result:
    """Measure the clips of a side with all their twins.

    Raises:
        BadInput: the corpus is not here, or there is no score of that name.
    """
    corpus = natural_clips()
    scores = [name for name in options.scores if _usable(name)]
    chosen = [one for one in corpus if options.side in (one.side, "all")]
    chosen = chosen[: options.limit or None]
    with twins_folder(options.twins) as folder:
        jobs = [Job(one, twins_of(one, corpus), folder, scores) for one in chosen]
        table = Table(list(measured(jobs, workers=options.workers)))
    return Result(
        rows=rows(table),
        goals=[
            *goals_of_separation(table),
            *goals_of_decisions(table),
            *left_out(table),
            *decisions(table),
            *said_of_right(table),
        ],
        notes=_notes(options, corpus, table, scores),
        packages=("av", "numpy", "scipy", "torch"),
    )


def measured(jobs: Sequence[Job], *, workers: int) -> Iterator[Found]:
    """What is found of every clip's files, clips in order."""
    if workers <= 1:
        for job in jobs:
            yield from measure(job)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for found in pool.map(measure, jobs):
            yield from found


def _notes(options: argparse.Namespace, corpus: Sequence[Filmed], table: Table, scores: Sequence[str]) -> list[str]:
    repositories = len({one.repository for one in table.clips})
    names = {one.name for one in table.clips}
    doubts = [f"{name} ({why})" for name, why in doubted().items() if name in names]
    lost = Counter(f"{one.clip.name}, {one.kind}: {one.outcome}" for one in table.unmeasured)
    return [
        f"side {options.side}: {len(table.clips)} clips of {repositories} repositories; scores {', '.join(scores)}; "
        "measured on film alone",
        *(f"{side}: {_counts([one for one in corpus if one.side is side])}" for side in Side),
        f"AUC of right clips against their twins, of {' and '.join(IN_SYNC)}; take: a column's mean over the 3 s "
        "windows of the shot that has most, window: the middle one of these; naive: of the whole file, of that window",
        "intervals: clips drawn by lot 400 times, each with its twins",
        f"the goals are about the column {GOAL_COLUMN}; {NAIVE} is plain arithmetic without weights",
        "a moved sound leaves a hole at one end of its film, as in files that people upload: silence_ratio over a take "
        "hears that hole and nothing else, so what is fitted on takes of twins must not look at it",
        "labels come from looking and from where clips were published; nobody listened. Doubted, and counted as "
        "labelled: " + ("; ".join(doubts) or "none"),
        "not measured: " + ("; ".join(lost) or "none"),
    ]


def doubted() -> dict[str, str]:
    """Clips whose label looks wrong, and why."""
    with DOUBTS.open(encoding="utf-8", newline="") as file:
        return {row["file"]: row["doubt"] for row in csv.DictReader(file)}


def _counts(clips: Sequence[Filmed]) -> str:
    by_truth = Counter(one.truth for one in clips)
    return f"{len(clips)} clips (" + ", ".join(f"{by_truth[truth]} {truth}" for truth in Truth if by_truth[truth]) + ")"


@contextmanager
def twins_folder(named: Path | None) -> Iterator[Path]:
    """Where twins are made: the named folder, or one that goes when the run ends."""
    if named is not None:
        yield named
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(scratch)


def _usable(name: str) -> bool:
    try:
        build([name])[0].check()
    except Unavailable:
        return False
    return True
