"""Kill -9 at random points of a curation run, resume, and compare with a run that nobody disturbed, byte for byte."""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sqlalchemy import func, select

from bench.result import Goal, Result, Row
from curation.home.folder import Home
from curation.ledger.tables import ClipRow, DecisionRow, FingerprintRow, ScoreRow, SourceEntry, Video, WindowRow

TABLES = (SourceEntry, Video, WindowRow, ScoreRow, DecisionRow, ClipRow, FingerprintRow)
STEPS = ("register", "fetch", "measure", "decide", "publish")
DONE = "done"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How often, and on how much."""
    parser.add_argument("--kills", type=int, default=200, help="how often the run is killed")
    parser.add_argument("--films", type=int, default=6, help="drawn films that are curated, half of them by link")
    parser.add_argument("--seed", type=int, default=0, help="when it is killed")


def run(options: argparse.Namespace) -> Result:
    """Curate in a process of its own, again and again, each killed at a moment of chance until one comes through."""
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch, served(Path(scratch), options.films) as table:
        seconds = dict.fromkeys(STEPS, 0.0)
        _curate(Path(scratch) / "undisturbed", table, seconds=seconds)
        wanted = _state(Path(scratch) / "undisturbed")
        kills, homes, bad = dict.fromkeys(STEPS, 0), 0, 0
        while sum(kills.values()) < options.kills:
            home = Path(scratch) / "killed"
            shutil.rmtree(home, ignore_errors=True)
            for step in _killed_through(home, table, seconds, kills, chance):
                kills[step] += 1
            homes += 1
            bad += _state(home) != wanted
        found: list[Row] = [{"killed while it was at": step, "times": count} for step, count in kills.items()]
    total, least, wanted_of_each = sum(kills.values()), min(kills.values()), options.kills // (2 * len(STEPS))
    goals = [
        Goal("runs whose result differs after kills and resumption", "0", f"{bad} of {homes}", bad == 0),
        Goal("kills", f">= {options.kills}", str(total), total >= options.kills),
        Goal("kills of the step that was killed least", f">= {wanted_of_each}", str(least), least >= wanted_of_each),
    ]
    notes = [f"{options.films} films; compared: every file of the snapshot, rows of every table, leftovers"]
    return Result(rows=found, goals=goals, notes=notes, packages=("sqlalchemy", "av", "yt-dlp"))


def _killed_through(
    home: Path, table: Path, seconds: dict[str, float], kills: dict[str, int], chance: random.Random
) -> Iterator[str]:
    """Curate one home with a kill in each step, yielding the steps that were hit, and to the end without one.

    What one step has done no later run does again. So each is killed in its turn, while it still has all its work to
    do, at a moment of chance within it; a step that is behind the others is killed once more while it is unfinished.
    """
    for step in STEPS:
        while True:
            hit = _curate(home, table, kill=(step, chance.uniform(0, seconds[step])))
            if hit is None:
                return
            yield hit
            if hit != step or kills[step] >= max(kills.values()):
                break
    _curate(home, table)


def _curate(
    home: Path, table: Path, *, kill: tuple[str, float] | None = None, seconds: dict[str, float] | None = None
) -> str | None:
    """One process that curates; returns the step in which it was killed, None if it came through.

    `kill` names a step and how many seconds after its beginning the process dies; `seconds` takes how long steps took.
    """
    command = [sys.executable, "-c", "from bench.crash import victim; victim()", str(home), str(table)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True, cwd=Path.cwd())
    assert process.stdout
    timer, step, begun = None, "", time.perf_counter()
    for line in process.stdout:
        if line.strip() not in (*STEPS, DONE):
            continue
        if seconds is not None and step:
            seconds[step] = time.perf_counter() - begun
        step, begun = line.strip(), time.perf_counter()
        if kill and step == kill[0]:
            timer = threading.Timer(kill[1], process.kill)
            timer.start()
    code = process.wait()
    process.stdout.close()
    if timer:
        timer.cancel()
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"the run ended with {code} in {step}")
    # A blow that fell after the end killed nothing.
    return None if step == DONE else step


def victim() -> None:
    """What a curation run does, without a scheduler around it: the same functions in the same order."""
    from curation.decide.apply import Merging, decide_all
    from curation.dedup.ledger import mark_duplicates
    from curation.fetch.settings import FetchSettings
    from curation.media.sandbox import MediaWorkers
    from curation.scores.registry import build
    from curation.settings.recipe import Recipe
    from curation.sources.read import iter_sources
    from curation.steps.ingest import fetch_video, register, videos_to_fetch
    from curation.steps.measure import measure_video, videos_to_measure
    from curation.steps.publish import Selection, publish_selection

    home, table = Home(Path(sys.argv[1])), sys.argv[2]
    recipe = Recipe(fetch=FetchSettings(allow_loopback=True, retries=0))
    recipe = recipe.model_copy(update={"policy": recipe.policy.model_copy(update={"accept_all": True})})
    scores = build(["motion", "loudness", "sync"])
    with home.ledger() as ledger, MediaWorkers(count=1) as workers:
        print("register", flush=True)
        register(ledger, iter_sources([table]))
        print("fetch", flush=True)
        for video_id in videos_to_fetch(ledger):
            fetch_video(ledger, video_id, home=home, settings=recipe.fetch)
        print("measure", flush=True)
        for video_id in videos_to_measure(ledger, scores, recipe=recipe):
            measure_video(ledger, video_id, scores, recipe=recipe, analyser=workers.analyse)
        print("decide", flush=True)
        decide_all(ledger, recipe.policy, Merging(max_clip_us=3_000_000, audit_share=0.1))
        mark_duplicates(ledger, recipe.dedup)
        print("publish", flush=True)
        publish_selection(ledger, Selection.AUTO, home=home, recipe=recipe, workers=workers)
    print(DONE, flush=True)


def _state(home: Path) -> dict[str, object]:
    """All that must be the same: files of snapshots, rows of tables, and that nothing else lies about."""
    snapshots = home / "snapshots"
    files = [path for path in sorted(snapshots.rglob("*")) if path.is_file()]
    state: dict[str, object] = {str(path.relative_to(snapshots)): path.read_bytes() for path in files}
    with Home(home).ledger() as ledger, ledger.session() as session:
        for table in TABLES:
            state[f"rows of {table.__tablename__}"] = session.scalar(select(func.count()).select_from(table))
    left = [path for path in home.rglob("*") if path.suffix in (".part", ".tmp", ".ytdl") and path.is_file()]
    state["leftovers"] = sorted(path.name for path in left)
    return state


@contextmanager
def served(scratch: Path, films: int) -> Iterator[Path]:
    """A table of drawn films: half of them files, half of them links to a server."""
    from training.world import SCENES, FilmSpec, draw, write_film

    folder = scratch / "films"
    folder.mkdir()
    names = [f"{number}.mp4" for number in range(films)]
    for number, name in enumerate(names):
        spec = FilmSpec(scene=list(SCENES)[number % len(SCENES)], seed=number, duration_s=4.0 + number % 3)
        write_film(draw(spec), folder / name)
    with _Server(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        rows = [f"{base}/{name}," if number % 2 else f",films/{name}" for number, name in enumerate(names)]
        table = scratch / "films.csv"
        table.write_text("url,path\n" + "\n".join(rows) + "\n")
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        yield table
        server.shutdown()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that was killed in the middle of a download is what this is about."""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""
