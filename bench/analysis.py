"""How fast is the one-pass analysis, against bare decoding of the same files by the same library?

All decode picture and sound with one decoder thread, in turn; a ratio is bare seconds over analysis seconds, each the
median of its runs. `signal` is what the scores without weights need, `thumbnails` what CLIP needs besides, `detect` is
PySceneDetect's AdaptiveDetector, which finds shots and nothing else.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from bench.media import media_files
from bench.result import Goal, Result, Row
from curation.media.analyse import analyse
from curation.media.container import open_media
from curation.media.failures import MediaFailure
from curation.media.survey import forget

WAYS = ("bare", "signal", "thumbnails", "detect")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What this benchmark can be told."""
    parser.add_argument("files", nargs="*", type=Path, help="media files or folders; default: the corpus's real/")
    parser.add_argument("--runs", type=int, default=5, help="pairs of runs a file")


def run(arguments: argparse.Namespace) -> Result:
    """Measure every file."""
    with tempfile.TemporaryDirectory(prefix="clapboard-bench-") as folder:
        files = [path for path in media_files(arguments.files) if has_both_tracks(path)]
        rows = [measure(path, arguments.runs) for path in files or drawn(Path(folder))]
    total = {name: sum(float(row[f"{name}_s"] or 0) for row in rows) for name in ("bare", "signal", "thumbnails")}
    ratio, peer = total["bare"] / total["signal"], _peer_ratio(rows)
    goals = [Goal("analysis against bare PyAV decoding, all files", ">= 0.80", f"{ratio:.3f}", ratio >= 0.80)]
    notes = [f"With thumbnails for CLIP: {total['bare'] / total['thumbnails']:.3f}."]
    notes += [f"PySceneDetect on the same files, shots only: {peer:.3f}."] if peer else []
    return Result(rows, goals, notes, packages=("av", "numpy", "scenedetect"))


def bare_decode(path: Path) -> int:
    """Decode picture and sound and look at nothing; returns the number of frames."""
    frames = 0
    with open_media(path) as media:
        for packet in media.container.demux(media.video, media.audio):
            decoded = packet.decode()
            frames += len(decoded) if packet.stream.type == "video" else 0
    return frames


def measure(path: Path, runs: int) -> Row:
    """Seconds of each way to go through a file, taken in turn, and their ratios to bare decoding."""
    ways: dict[str, Callable[[], object]] = {
        "bare": lambda: bare_decode(path),
        "signal": lambda: _analysed(path, thumbnails=False),
        "thumbnails": lambda: _analysed(path, thumbnails=True),
    }
    frames = bare_decode(path)
    # Its OpenCV has no decoder for some files.
    if find_spec("scenedetect") and detect(path) > 0.9 * frames:
        ways["detect"] = lambda: detect(path)
    for way in ways.values():
        way()
    taken = [{name: _seconds(way) for name, way in ways.items()} for _ in range(runs)]
    seconds = {name: statistics.median(one[name] for one in taken) for name in ways}
    ratios = {name: round(statistics.median(one["bare"] / one[name] for one in taken), 3) for name in ways}
    return {
        "file": path.name,
        "frames": frames,
        "bare_fps": round(frames / seconds["bare"]),
        "signal": ratios["signal"],
        "thumbnails": ratios["thumbnails"],
        "detect": ratios.get("detect"),
        **{f"{name}_s": round(seconds[name], 4) if name in seconds else None for name in WAYS},
    }


def _analysed(path: Path, *, thumbnails: bool) -> object:
    """As a worker does that meets a file for the first time: its packets are read for its clock, too."""
    forget()
    return analyse(path, thumbnails=thumbnails)


def detect(path: Path) -> int:
    """Find shots with PySceneDetect, every frame looked at, as it does by default; returns the number of frames."""
    # One decoder thread like the others; OpenCV reads these when it opens a file.
    os.environ |= {"OPENCV_FFMPEG_CAPTURE_OPTIONS": "threads;1", "OPENCV_FFMPEG_LOGLEVEL": "-8"}
    from scenedetect import AdaptiveDetector, SceneManager, open_video

    manager = SceneManager()
    manager.add_detector(AdaptiveDetector())
    return int(manager.detect_scenes(open_video(str(path))))


def drawn(folder: Path) -> list[Path]:
    """Drawn films of two sizes, for machines without the corpus."""
    from training.world import SCENES, FilmSpec, draw, write_film

    films = []
    for width, height in ((640, 360), (1280, 720)):
        films.append(folder / f"drawn-{height}p.mp4")
        spec = FilmSpec(scene=next(iter(SCENES)), seed=0, width_px=width, height_px=height, duration_s=10.0)
        write_film(draw(spec), films[-1])
    return films


def _peer_ratio(rows: list[Row]) -> float | None:
    both = [(float(row["bare_s"] or 0), float(row["detect_s"] or 0)) for row in rows if row.get("detect_s")]
    return sum(bare for bare, _ in both) / sum(peer for _, peer in both) if both else None


def has_both_tracks(path: Path) -> bool:
    """Whether a file can be opened for analysis at all."""
    try:
        with open_media(path):
            return True
    except MediaFailure:
        return False


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
