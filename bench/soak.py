"""Ten thousand clips through workers that are warm: does memory grow?"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.result import Goal, Result, Row
from curation.media.sandbox import MediaWorkers
from curation.media.settings import SandboxSettings

ALLOWED = 0.05
WARMING = 0.1
"""So many clips more, as a share, go through first: caches and allocators grow to their size."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much."""
    parser.add_argument(
        "--clips", type=int, default=10_000, help="clips that are analysed and cut, a tenth more before"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")


def run(options: argparse.Namespace) -> Result:
    """Analyse and cut short films over and over; workers are never replaced, so that what they lose shows."""
    with tempfile.TemporaryDirectory() as folder:
        films = _films(Path(folder))
        settings = SandboxSettings(jobs_per_worker=10**9)
        with MediaWorkers(count=options.workers, settings=settings) as workers:
            rows, seconds = _soak(workers, films, options.clips)
    warm, last = rows[0], rows[-1]
    goals = [
        _goal("this process", float(warm["parent_mib"] or 0), float(last["parent_mib"] or 0)),
        _goal("all workers", float(warm["workers_mib"] or 0), float(last["workers_mib"] or 0)),
    ]
    notes = [
        f"{options.clips / seconds:.0f} clips/s analysed and cut by {options.workers} workers",
        f"clips are counted after {_warming(options.clips)} others, which warm caches and allocators",
    ]
    return Result(rows=rows, goals=goals, notes=notes)


def _goal(what: str, before: float, after: float) -> Goal:
    growth = after / before - 1
    return Goal(f"growth of resident memory, {what}", f"< {ALLOWED:.0%}", f"{growth:+.1%}", growth < ALLOWED)


def _films(folder: Path) -> Sequence[Path]:
    """Films of several codecs and sizes, one of them broken."""
    from bench.flash import Film, make

    kinds = [("libx264", "aac", "mp4"), ("libvpx-vp9", "libopus", "webm"), ("libx264", "flac", "mkv")]
    films = [make(Film(video, audio, container, seconds=2.0), folder) for video, audio, container in kinds]
    broken = folder / "broken.mp4"
    broken.write_bytes(films[0].read_bytes()[: films[0].stat().st_size * 2 // 3])
    return [*films, broken]


def _soak(workers: MediaWorkers, films: Sequence[Path], clips: int) -> tuple[list[Row], float]:
    from curation.media.failures import MediaFailure

    def one(number: int) -> None:
        film = films[number % len(films)]
        try:
            workers.analyse(film)
            workers.cut(film, start_us=200_000, end_us=1_200_000)
        except MediaFailure:
            pass

    with ThreadPoolExecutor(workers.count) as threads:
        list(threads.map(one, range(_warming(clips))))
        rows, begun = [_memory(0, workers)], time.perf_counter()
        for tenth in range(10):
            share = range(clips * tenth // 10, clips * (tenth + 1) // 10)
            list(threads.map(one, share))
            rows.append(_memory(share.stop, workers))
    return rows, time.perf_counter() - begun


def _warming(clips: int) -> int:
    return round(clips * WARMING)


def _memory(clips: int, workers: MediaWorkers) -> Row:
    """What is resident after so many clips."""
    parent, below = _resident_mib(os.getpid()), sum(map(_resident_mib, workers.pids()))
    return {"clips": clips, "parent_mib": round(parent, 1), "workers_mib": round(below, 1)}


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
