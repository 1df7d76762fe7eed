"""What do ledger and flow cost by themselves? A curation of 1,000, 10,000 and 100,000 videos whose media work is none.

The real flow runs against a real Prefect server: a list is read, videos are claimed, fetched, measured, decided, looked
through for copies and enrolled. Only what touches media is stood in for, here and nowhere else: a fetch finds one file,
a decode gives one timeline, shots, fingerprints and scores are drawn by seed. Publication is measured by `selection`.
For the share of the whole, one film as long as these is measured as it is.
"""

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from bench.result import Goal, Result, Row

SECONDS = 10.0
"""Length of a video, as VGGSound's are."""

WINDOWS = 15
"""Of such a video, in the default recipe."""

WIDER = 1.3
SHARE = 0.05
LARGEST_SHARE_OF_MEMORY = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many videos."""
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="videos of each run")


def run(options: argparse.Namespace) -> Result:
    """A process of its own for each size."""
    found = [_measured(size) for size in sorted(options.sizes)]
    media_s = _media_seconds()
    lanes = os.cpu_count() or 1
    rows: list[Row] = [
        {
            "videos": one["videos"],
            "all, s": round(one["all_s"], 1),
            "processor, ms a video": round(1000 * one["cpu_s"] / one["videos"], 2),
            **{f"{step}, ms a video": round(1000 * took / one["videos"], 2) for step, took in one["seconds"].items()},
            "this process, MiB": round(one["peak_mib"]),
            "server, MiB": round(one["server_mib"]),
            "tasks": one["tasks"],
            "Prefect's database, MiB": round(one["prefect_mib"], 1),
            "ledger, KiB a video": round(one["ledger_mib"] * 1024 / one["videos"], 1),
        }
        for one in found
    ]
    # Processor time: other programs on the machine make the wall's longer.
    each = [one["cpu_s"] / one["videos"] for one in found]
    share = each[-1] / (each[-1] + media_s)
    goals = [
        Goal(
            f"processor seconds a video, {found[-1]['videos']:,} against {found[-2]['videos']:,}"
            if len(found) > 1
            else "one size",
            f"<= {WIDER}",
            f"{each[-1] / each[-2]:.2f}" if len(each) > 1 else "-",
            each[-1] / each[-2] <= WIDER if len(each) > 1 else None,
        ),
        Goal("of the processor time, with media work", f"<= {SHARE:.0%}", f"{share:.1%}", share <= SHARE),
        Goal(
            "memory of the server, the largest against the smallest",
            f"<= {LARGEST_SHARE_OF_MEMORY:g}",
            f"{found[-1]['server_mib'] / found[0]['server_mib']:.2f}",
            found[-1]["server_mib"] / found[0]["server_mib"] <= LARGEST_SHARE_OF_MEMORY,
        ),
    ]
    notes = [
        f"Videos of {SECONDS:g} s, {WINDOWS} windows and three scores each; ledger on SQLite; {lanes} lanes. Measuring "
        f"one such film (320 x 240) as it is takes {media_s:.2f} s of a processor, so the share is that of such "
        "videos: longer ones cost the ledger less a second."
    ]
    return Result(rows=rows, goals=goals, notes=notes, packages=("prefect", "sqlalchemy"))


def _measured(videos: int) -> dict[str, Any]:
    command = [sys.executable, "-c", "from bench.orchestration import measured; measured()", str(videos)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=6 * 3600)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def measured() -> None:
    """Curate so many videos without media work; prints what it cost."""
    import resource

    from curation.home.folder import Home
    from curation.settings.recipe import Recipe
    from flows.server import prefect_server

    videos = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch, _no_media(Path(scratch)):
        table = Path(scratch) / "list.csv"
        with table.open("w") as lines:
            lines.write("url\n")
            lines.writelines(f"https://example.org/{number}.mp4\n" for number in range(videos))
        home, recipe = Home(Path(scratch) / "home"), Recipe(optional_scores=[])
        recipe = recipe.model_copy(update={"fetch": recipe.fetch.model_copy(update={"pause_s": 0.0})})
        with prefect_server(home) as url, _largest_server(home) as server:
            from flows.curate import CurateParams, curate

            begin, begin_cpu = time.perf_counter(), time.process_time()
            summary = curate(CurateParams(sources=[str(table)], home=home.root, recipe=recipe))
            all_s, cpu_s = time.perf_counter() - begin, time.process_time() - begin_cpu
            tasks = _task_runs(url)
        if summary.measured != videos:
            raise RuntimeError(f"{summary.measured} of {videos} videos were worked off")
        found = {
            "videos": videos,
            "all_s": all_s,
            "cpu_s": cpu_s,
            "seconds": summary.seconds,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "server_mib": server[0],
            "tasks": tasks,
            "prefect_mib": (home.prefect / "prefect.db").stat().st_size / 2**20,
            "ledger_mib": (home.root / "ledger.sqlite").stat().st_size / 2**20,
        }
    print(json.dumps(found))


@contextlib.contextmanager
def _no_media(scratch: Path) -> Iterator[None]:
    """Stand in for fetching, decoding, measuring and cutting, and for nothing else."""
    from curation.dedup.fingerprint import Fingerprint
    from curation.fetch.site import Fetched, SiteFacts
    from curation.media.timeline import Timeline

    file = scratch / "film.mp4"
    file.write_bytes(bytes(1000))
    frames = round(SECONDS * 24)
    line = Timeline(
        width_px=320, height_px=240, duration_us=round(SECONDS * 1e6), frame_us=np.arange(frames) * 1_000_000 // 24,
        luma=np.zeros(frames, np.float32), motion=np.zeros(frames, np.float32),
        colour_change=np.zeros(frames, np.float32), thumb_us=np.zeros(0, np.int64),
        thumbs=np.zeros((0, 1, 1, 3), np.uint8), audio_start_us=0, rate_hz=16_000, waveform=np.zeros(0, np.float32),
    )  # fmt: skip

    def got(asked: Any, **_: object) -> Fetched:
        return Fetched(file, 1000, hashlib.sha256(asked.link.encode()).hexdigest(), 0.0, SiteFacts())

    chance = np.random.default_rng(0)

    def marks(_: Timeline) -> Fingerprint:
        stills, bins = 16, 32
        return Fingerprint(
            np.arange(stills, dtype=np.uint32) * 250,
            chance.integers(0, 2**63, stills, dtype=np.uint64),
            chance.random(bins).astype(np.float32),
            chance.integers(0, 2**32, 128, dtype=np.uint32),
        )

    with (
        mock.patch("curation.steps.ingest._got", got),
        mock.patch("curation.steps.measure.find_shots", lambda *_: [(0, line.duration_us)]),
        mock.patch("curation.steps.measure.fingerprint", marks),
        mock.patch("curation.media.sandbox.MediaWorkers.analyse", lambda *_, **__: line),
        mock.patch("flows.shift.usable_scores", lambda *_: ([_Drawn(name) for name in "abc"], [])),
        mock.patch("flows.curate.publish_accepted", lambda _: None),
    ):
        yield


class _Drawn:
    """A score whose numbers are drawn."""

    version, settings, needs, columns, trends = 1, "", frozenset[Any](), ("value",), {"value": 1}

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self) -> None:
        """It can be computed everywhere."""

    def score(self, batch: Sequence[Any]) -> list[dict[str, float]]:
        """A number for each window."""
        return [{f"{self.name}_value": float(window.start_us % 97) / 97} for window in batch]


@contextlib.contextmanager
def _largest_server(home: Any) -> Iterator[list[float]]:
    """The most memory that the server's processes took, in MiB."""
    from shards.leash import descendants

    pid, done, most = json.loads((home.prefect / "server.json").read_bytes())["pid"], threading.Event(), [0.0]

    def look() -> None:
        while not done.wait(1.0):
            pages = 0
            for one in {pid, *descendants(pid)}:
                with contextlib.suppress(OSError):
                    pages += int(Path(f"/proc/{one}/statm").read_text().split()[1])
            most[0] = max(most[0], pages * os.sysconf("SC_PAGE_SIZE") / 2**20)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield most
    finally:
        done.set()
        thread.join()


def _task_runs(url: str) -> int:
    import httpx

    count: int = httpx.post(f"{url}/task_runs/count", json={}, timeout=60).json()
    return count


def _media_seconds() -> float:
    """Processor seconds for measuring one such film by the scores that need no weights, the worker's and ours."""
    from bench.measuring import usable
    from curation.home.folder import Home
    from curation.media.sandbox import MediaWorkers
    from curation.settings.recipe import Recipe
    from curation.sources.read import iter_sources
    from curation.steps.ingest import fetch_video, register, videos_to_fetch
    from curation.steps.measure import measure_video
    from training.world import FilmSpec, draw, write_film

    films, scores, recipe = 9, usable(), Recipe()
    with tempfile.TemporaryDirectory() as scratch, MediaWorkers(count=1) as workers:
        home, folder = Home(Path(scratch) / "home"), Path(scratch) / "films"
        folder.mkdir()
        for number in range(films):
            spec = FilmSpec(scene="playing_drum", seed=number, duration_s=SECONDS, width_px=320, height_px=240)
            write_film(draw(spec), folder / f"{number}.mp4")
        with home.ledger() as ledger:
            register(ledger, iter_sources([str(folder)]))
            begin = 0.0
            for number, video in enumerate(videos_to_fetch(ledger)):
                fetch_video(ledger, video, home=home, settings=recipe.fetch)
                measure_video(ledger, video, scores, recipe=recipe, analyser=workers.analyse)
                if number == 0:  # it started the worker, and loaded what the scores need
                    begin = time.process_time() + sum(map(_processor_seconds, workers.pids()))
            return (time.process_time() + sum(map(_processor_seconds, workers.pids())) - begin) / (films - 1)


def _processor_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
