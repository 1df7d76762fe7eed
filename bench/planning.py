"""What knowing a million clips costs each rank of a training run: their windows, whole videos held out, their order.

The index is made on the spot, in memory: clips of three to ten seconds, three of a video, four windows of each.
"""

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.result import Goal, Result, Row
from training.cache.build import windows_of
from training.data.entries import Entries
from training.data.plan import Balanced, Shuffled
from training.settings.config import WindowConfig

DURATION_S = 2.0
CLIPS_OF_A_VIDEO = 3
GOAL_MIB = 1000.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What this benchmark can be told."""
    parser.add_argument("--clips", type=int, default=1_000_000, help="clips in the index")


def run(arguments: argparse.Namespace) -> Result:
    """Time each thing that a rank does before its first step, and see what its memory grows by."""
    index = _index(arguments.clips)
    before, rows = _resident_mib(), list[Row]()

    def timed(what: str, act: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        made = act()
        rows.append({"what": what, "seconds": round(time.perf_counter() - began, 3)})
        return made

    entries: Entries = timed("windows", lambda: windows_of(index, WindowConfig(), duration_s=DURATION_S))
    timed("digest", entries.digest)
    held = timed("hold whole videos out", lambda: entries.of_videos(frozenset(entries.video_ids()[::7])))
    kept = timed("what is left", lambda: entries.take(~held))
    timed("order of an epoch", lambda: Shuffled(len(kept), 0, "p").number(0))
    timed("order by class", lambda: _balanced(kept).number(0))
    timed("1,000 windows looked at", lambda: [kept[n] for n in range(0, len(kept), max(len(kept) // 1000, 1))])
    grown = _resident_mib() - before
    return Result(
        rows,
        [Goal(f"memory of {len(entries):,} windows", "< 1,000 MiB", f"{grown:.0f} MiB", grown < GOAL_MIB)],
        ["Above that of the index, which is an arrow table."],
        packages=("pyarrow", "numpy"),
    )


def _balanced(entries: Entries) -> Balanced:
    codes, names = entries.labels()
    return Balanced(codes, names, 0, "p")


def _index(clips: int) -> pa.Table:
    """A snapshot's index, as far as planning reads it."""
    draw = np.random.default_rng(0)
    numbers = np.arange(clips)
    return pa.table(
        {
            "key": [f"{number:032x}" for number in numbers],
            "video_id": [f"{number // CLIPS_OF_A_VIDEO:040x}" for number in numbers],
            "caption": ["a hammer strikes an anvil"] * clips,
            "label": [f"class {number % 300}" for number in numbers],
            "start_us": np.zeros(clips, np.int64),
            "end_us": draw.integers(3_000_000, 10_000_000, clips),
        }
    )


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20
