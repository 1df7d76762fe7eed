"""How fast is the one-pass analysis, against bare decoding of the same files by the same library?

Both decode picture and sound with one decoder thread; the ratio is the median of runs taken in turn.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from bench.media import media_files
from bench.result import Goal, Result, Row
from curation.media.analyse import analyse
from curation.media.container import open_media
from curation.media.failures import MediaFailure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What this benchmark can be told."""
    parser.add_argument("files", nargs="*", type=Path, help="media files or folders; default: the corpus's real/")
    parser.add_argument("--runs", type=int, default=5, help="pairs of runs a file")


def run(arguments: argparse.Namespace) -> Result:
    """Measure every file."""
    files = [path for path in media_files(arguments.files) if _has_both_tracks(path)]
    rows = [measure(path, arguments.runs) for path in files]
    ratio = statistics.median(float(row["ratio"] or 0) for row in rows)
    goal = Goal("analysis against bare PyAV decoding, median over files", ">= 0.80", f"{ratio:.3f}", ratio >= 0.80)
    return Result(rows, [goal])


def bare_decode(path: Path) -> int:
    """Decode picture and sound and look at nothing; returns the number of frames."""
    frames = 0
    with open_media(path) as media:
        for packet in media.container.demux(media.video, media.audio):
            decoded = packet.decode()
            frames += len(decoded) if packet.stream.type == "video" else 0
    return frames


def measure(path: Path, runs: int) -> Row:
    """Frames a second of both, taken in turn, and the median of the paired ratios."""
    frames = bare_decode(path)
    analyse(path)
    pairs = [(_seconds(lambda: bare_decode(path)), _seconds(lambda: analyse(path))) for _ in range(runs)]
    bare, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    return {
        "file": path.name,
        "frames": frames,
        "bare_fps": round(frames / bare),
        "analysis_fps": round(frames / ours),
        "ratio": round(statistics.median(b / o for b, o in pairs), 3),
    }


def _has_both_tracks(path: Path) -> bool:
    try:
        with open_media(path):
            return True
    except MediaFailure:
        return False


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
