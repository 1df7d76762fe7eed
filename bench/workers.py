"""What confinement costs and how it scales: analysis in one and in many workers against bare decoding by as many."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.analysis import drawn, has_both_tracks
from bench.media import media_files
from bench.result import Goal, Result, Row
from curation.media.sandbox import MediaWorkers

RATIO, LINEAR = 0.80, 0.90


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is decoded, and by how many."""
    parser.add_argument("files", nargs="*", type=Path, help="videos; by default those of the corpus")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="most processes")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; the fastest counts")


def run(options: argparse.Namespace) -> Result:
    """Every round measures all ways one after the other, so that other load meets them alike."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        files = [path for path in media_files(options.files) if has_both_tracks(path)] or drawn(Path(folder))
        counts = sorted({1, options.workers})
        best: dict[tuple[str, int], float] = {}
        for _ in range(options.rounds):
            for count in counts:
                for way, seconds in (("bare", _bare(files, count)), ("workers", _in_workers(files, count))):
                    best[way, count] = min(best.get((way, count), 1e9), seconds)
    rows: list[Row] = [
        {
            "processes": count,
            "bare_s": round(best["bare", count], 3),
            "workers_s": round(best["workers", count], 3),
            "ratio": round(best["bare", count] / best["workers", count], 3),
        }
        for count in counts
    ]
    most = counts[-1]
    ratio = best["bare", most] / best["workers", most]
    # Machines scale as they scale; what is ours is how much worse the workers do than bare decoding does.
    linear = (best["workers", 1] / best["workers", most]) / (best["bare", 1] / best["bare", most])
    goals = [
        Goal(f"of bare PyAV, {most} workers, same files", f">= {RATIO}", f"{ratio:.3f}", ratio >= RATIO),
        Goal(f"scaling to {most}, of bare decoding's", f">= {LINEAR}", f"{linear:.3f}", linear >= LINEAR),
    ]
    notes = [f"{len(files)} files, each decoded by every process; workers measure all curves, without thumbnails"]
    return Result(rows=rows, goals=goals, notes=notes)


def _bare(files: Sequence[Path], count: int) -> float:
    """Seconds for `count` processes to decode all files each; they start at once, when all are ready."""
    code = "import sys; from bench.workers import decode_all; decode_all(sys.argv[1:])"
    command = [sys.executable, "-c", code, *map(str, files)]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(count)]
    for one in running:
        assert one.stdout
        one.stdout.readline()
    begun = time.perf_counter()
    for one in running:
        assert one.stdin
        one.stdin.write(b"\n")
        one.stdin.flush()
    for one in running:
        one.communicate()
    return time.perf_counter() - begun


def decode_all(files: Sequence[str]) -> None:
    """Decode both tracks of each file and look at nothing; waits for a line before it begins."""
    from bench.analysis import bare_decode

    print("ready", flush=True)
    sys.stdin.readline()
    for file in files:
        bare_decode(Path(file))


def _in_workers(files: Sequence[Path], count: int) -> float:
    with MediaWorkers(count=count) as workers, ThreadPoolExecutor(count) as threads:
        # Workers start when they are first needed; that is not what is measured.
        list(threads.map(lambda _: workers.offline(), range(count)))
        jobs = [path for path in files for _ in range(count)]
        begun = time.perf_counter()
        list(threads.map(lambda path: workers.analyse(path, thumbnails=False), jobs))
        return time.perf_counter() - begun
