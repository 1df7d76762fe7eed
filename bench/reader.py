"""How fast training gets its clips: by step number in shuffled order, against plain WebDataset reading on and on."""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from bench.result import Result, Row
from bench.snapshots import clips_on_disk
from shards.order import Shuffled
from shards.publishing import publish
from shards.snapshot import Snapshot
from shards.steps import StepReader

BATCH = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much is read."""
    parser.add_argument("--clips", type=int, default=4096, help="clips of 100 to 500 kB")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; the fastest counts")


def run(options: argparse.Namespace) -> Result:
    """Read one epoch in every way, in one process, from a warm disk cache: only the reader's own work counts."""
    with tempfile.TemporaryDirectory() as scratch:
        clips = clips_on_disk(options.clips, Path(scratch))
        snapshot = publish(Path(scratch) / "snapshots", "auto", clips, recipe={}).snapshot
        ways = {
            "webdataset, sequential": lambda: _webdataset(snapshot, shuffle=0),
            "webdataset, shuffled in a buffer": lambda: _webdataset(snapshot, shuffle=1000),
            "by step, mixed over 8 shards": lambda: _by_step(snapshot, spread=8),
            "by step, mixed over all": lambda: _by_step(snapshot, spread=0),
        }
        best = {name: min(_seconds(way) for _ in range(options.rounds)) for name, way in ways.items()}
        size = sum(shard["bytes"] for shard in snapshot.manifest["shards"]) / 1e6
    plain = best["webdataset, sequential"]
    rows: list[Row] = [
        {
            "reader": name,
            "clips_a_s": round(options.clips / seconds),
            "mb_a_s": round(size / seconds),
            "against_sequential": round(plain / seconds, 2),
        }
        for name, seconds in best.items()
    ]
    notes = ["by step every clip's sha256 is checked; WebDataset checks nothing and cannot resume in the middle"]
    return Result(rows=rows, notes=notes, packages=("webdataset",))


def _webdataset(snapshot: Snapshot, *, shuffle: int) -> int:
    import webdataset

    data = webdataset.WebDataset([str(path) for path in snapshot.shards()], shardshuffle=False, empty_check=False)
    return sum(len(one["mp4"]) for one in (data.shuffle(shuffle) if shuffle else data))


def _by_step(snapshot: Snapshot, *, spread: int) -> int:
    reader = StepReader(snapshot, Shuffled(snapshot.shard_sizes(), seed=0, spread=spread), batch=BATCH)
    read = sum(len(one.mp4) for step in range(len(reader)) for one in reader[step])
    reader.close()
    return read


def _seconds(work: Callable[[], object]) -> float:
    begun = perf_counter()
    work()
    return perf_counter() - begun
