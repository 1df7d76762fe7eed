"""How fast is the one-pass analysis, against bare decoding of the same file by the same library?

    python -m bench.analysis FILE... [--runs 5]

Prints frames a second of both and their ratio (median of paired runs), and a JSON line with the machine's facts. Both
decode picture and sound with one decoder thread.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from curation.media.analyse import analyse
from curation.media.container import open_media


def bare_decode(path: Path) -> int:
    """Decode picture and sound and look at nothing; returns the number of frames."""
    frames = 0
    with open_media(path) as media:
        for packet in media.container.demux(media.video, media.audio):
            decoded = packet.decode()
            frames += len(decoded) if packet.stream.type == "video" else 0
    return frames


def measure(path: Path, runs: int) -> dict[str, object]:
    """Median seconds of both, taken in turn, and the median of the paired ratios."""
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


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    found = [measure(path, arguments.runs) for path in arguments.files]
    for one in found:
        print(f"{one['file']}: bare {one['bare_fps']} fps, analysis {one['analysis_fps']} fps, ratio {one['ratio']}")
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    print(json.dumps({"bench": "analysis", "av": version("av"), "machine": machine, "results": found}))


if __name__ == "__main__":
    main()
