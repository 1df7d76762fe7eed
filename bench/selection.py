"""How do queue and publication grow with the clips: seconds and memory for each, the first time and with nothing new?

The ledger is made on the spot: videos of four clips that are accepted and drawn for an audit, so that all are asked
about and all are published. Nothing is decoded: the cuts are small files of nothing. Each step is a process of its own.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import event, insert

from bench.result import Goal, Result, Row
from curation.clips import clip_id
from curation.decide.policy import Band
from curation.home.cutting import Span, cut_files
from curation.home.folder import Home
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, ScoreRow, SourceEntry, Video, WindowRow
from curation.media.cut import CutClip
from curation.media.sandbox import MediaWorkers
from curation.outcomes import Outcome
from curation.review.queue import enrol
from curation.scores.registry import build
from curation.settings.recipe import Recipe
from curation.steps.publish import Selection, publish_selection

CLIPS_PER_VIDEO = 4
CLASSES = 300
SCORED_BY = ("motion", "loudness", "sync")
STEPS = ("enrol", "publish", "enrol again", "publish again")
MASTERS = 64
"""Different files among the cuts; the rest are hard links to them."""

CACHE_KIB = 2048
"""SQLite's cache here: the usual one of 128 MiB would hide what grows."""

SLOWER_AT_MOST, MOST_BYTES = 1.3, 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many clips."""
    parser.add_argument("--clips", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="sizes of the ledger")


def run(arguments: argparse.Namespace) -> Result:
    """Fill a ledger of each size and run every step on it."""
    rows = [row for clips in arguments.clips for row in _of_size(clips)]
    goals = list(_goals(rows, arguments.clips[-2:])) if len(arguments.clips) > 1 else []
    notes = [
        "Growth is judged by processor time, since other work on a machine lengthens the rest.",
        f"Memory is what the process grew by at most, SQLite's cache held at {CACHE_KIB // 1024} MiB; bytes a clip are "
        "by how much it grew more than at the size before.",
    ]
    return Result(rows, goals, notes, packages=("sqlalchemy", "pyarrow"))


def fill(ledger: Ledger, home: Home, clips: int, *, seed: int = 0) -> None:
    """Write videos with decided clips as curation would, and lay their cuts beside them."""
    random_ = random.Random(seed)
    recipe = Recipe()
    masters = _masters(home, recipe)
    for first in range(0, clips // CLIPS_PER_VIDEO, 500):
        videos = range(first, min(first + 500, clips // CLIPS_PER_VIDEO))
        rows = [row for number in videos for row in _video_rows(number, recipe.measuring_key(), random_)]
        with ledger.session() as session:
            for table in (Video, SourceEntry, WindowRow, ScoreRow, ClipRow):
                session.execute(insert(table.__table__), [row for kind, row in rows if kind is table])  # type: ignore[arg-type]
        for number, (_, row) in enumerate(one for one in rows if one[0] is ClipRow):
            stem = cut_files(home, Span(row["id"]), recipe.cut).stem
            for suffix in (".mp4", ".flac", ".json"):
                os.link(masters[number % MASTERS].with_suffix(suffix), stem.with_suffix(suffix))


def step(name: str, root: Path) -> dict[str, float]:
    """Run a step on a home: seconds, those of the processor, and by how many bytes this process grew at most."""
    # What a publication imports late, torch among it, is no growth.
    for module in ("webdataset", "pyarrow.compute", "pyarrow.parquet", "jinja2"):
        import_module(module)
    home, recipe = Home(root), Recipe()
    work = _work(name, home, recipe)
    with home.ledger() as ledger, MediaWorkers(count=2) as workers:
        event.listen(ledger.engine, "connect", _little_cache)
        ledger.engine.dispose()
        Path("/proc/self/clear_refs").write_text("5")
        before, start, used = _memory("VmRSS"), time.perf_counter(), time.process_time()
        work(ledger, workers)
        took, used = time.perf_counter() - start, time.process_time() - used
        return {"seconds": took, "processor_s": used, "bytes": _memory("VmHWM") - before}


def _work(name: str, home: Home, recipe: Recipe) -> Any:
    if name.startswith("enrol"):
        return lambda ledger, _: enrol(ledger, recipe.review)
    selection = Selection.AUTO
    return lambda ledger, workers: publish_selection(ledger, selection, home=home, recipe=recipe, workers=workers)


def _of_size(clips: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="clapboard-bench-") as folder:
        home = Home(Path(folder))
        with home.ledger() as ledger:
            fill(ledger, home, clips)
        for name in STEPS:
            command = [sys.executable, "-m", "bench.selection", name, folder]
            ran = subprocess.run(command, capture_output=True, text=True, check=True)
            found = json.loads(ran.stdout)
            yield {
                "what": name,
                "clips": clips,
                "seconds": round(found["seconds"], 2),
                "processor_s": round(found["processor_s"], 2),
                "clips_per_s": round(clips / max(found["seconds"], 1e-9)),
                "grew_mib": round(found["bytes"] / 2**20, 1),
            }


def _goals(rows: Sequence[Row], sizes: Sequence[int]) -> Iterator[Goal]:
    small, large = sizes
    for name in STEPS:
        one, other = (next(row for row in rows if (row["what"], row["clips"]) == (name, size)) for size in sizes)
        slower = (float(other["processor_s"] or 0) / large) / (float(one["processor_s"] or 0) / small)
        grew = (float(other["grew_mib"] or 0) - float(one["grew_mib"] or 0)) * 2**20 / (large - small)
        what = f"{name}: time for a clip at {large:,}, of that at {small:,}"
        yield Goal(what, f"<= {SLOWER_AT_MOST}", f"{slower:.2f}", slower <= SLOWER_AT_MOST)
        yield Goal(f"{name}: memory for a clip", f"<= {MOST_BYTES}", f"{grew:.0f} bytes", grew <= MOST_BYTES)


def _masters(home: Home, recipe: Recipe) -> list[Path]:
    made = []
    for number in range(MASTERS):
        files = cut_files(home, Span(f"master{number}"), recipe.cut)
        size = 512 + 16 * number
        clip = CutClip(
            mp4=bytes([number]) * size, flac=bytes([number]) * (2048 - size), frames=72, first_frame_us=0,
            duration_us=3_000_000, width_px=64, height_px=64, rate_hz=16_000, silent_us=0,
        )  # fmt: skip
        files.write(clip)
        made.append(files.stem)
    return made


def _video_rows(number: int, key: str, random_: random.Random) -> Iterator[tuple[type, dict[str, Any]]]:
    video, source = (f"{random_.getrandbits(80):020x}" for _ in range(2))
    yield Video, {
        "id": video, "link": f"https://example.org/{number}.mp4", "local": False, "fetch": "ok", "fetch_detail": "",
        "analysis": "ok", "analysis_detail": "", "analysis_key": key, "duration_us": 28_000_000, "cuts_us": [],
        "sha256": video,
    }  # fmt: skip
    yield SourceEntry, {
        "id": source, "table_name": "list.csv", "row": number, "video_id": video, "caption": f"sound {number}",
        "label": f"class {number % CLASSES}", "licence": "CC-BY-4.0", "outcome": "ok", "detail": "", "proposal": "ok",
    }  # fmt: skip
    for position in range(CLIPS_PER_VIDEO):
        start, end = position * 5_000_000, position * 5_000_000 + 3_000_000
        scores = {score.name: {name: random_.random() for name in score.columns} for score in _SCORES}
        window = clip_id(video, start, end)
        yield WindowRow, {
            "id": window, "video_id": video, "source_id": source, "shot": position, "start_us": start, "end_us": end,
            "crosses_cut": False,
        }  # fmt: skip
        for score in _SCORES:
            columns = scores[score.name]
            yield ScoreRow, {"window_id": window, "name": score.name, "version": score.version, "columns": columns}
        yield ClipRow, {
            "id": window, "video_id": video, "source_id": source, "start_us": start, "end_us": end,
            "band": Band.ACCEPT.value, "reasons": [], "p_good": random_.random(), "policy": "bench", "audit": True,
            "scores": {name: value for columns in scores.values() for name, value in columns.items()},
            "current": True, "cut": Outcome.OK.value, "sound_late_us": 0,
        }  # fmt: skip


_SCORES = build(list(SCORED_BY))


def _little_cache(connection: Any, _record: object) -> None:
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")


def _memory(name: str) -> int:
    """A line of what the system says of this process's memory, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(step(sys.argv[1], Path(sys.argv[2]))))
