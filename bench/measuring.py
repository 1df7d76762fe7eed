"""What does a second of video cost, from decoding to the last score, and do threads share that work?

One long drawn film of 640 x 360 at 24 fps, in windows of three seconds every half second, as recipes have them by
default. Every step runs in one thread, and its fastest round counts. Then copies of the film are measured as curation
does it: confined workers decode, threads score, SQLite keeps.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bench.analysis import bare_decode
from bench.result import Goal, Result, Row
from curation.clips import propose
from curation.dedup.fingerprint import fingerprint
from curation.home.folder import Home
from curation.media.analyse import analyse
from curation.media.sandbox import MediaWorkers
from curation.media.shots import find_shots
from curation.media.timeline import Timeline, Window
from curation.outcomes import Outcome
from curation.scores.base import Score
from curation.scores.registry import build
from curation.settings.recipe import Recipe
from curation.sources.read import iter_sources
from curation.steps.ingest import fetch_video, register, videos_to_fetch
from curation.steps.measure import measure_video
from shards.errors import Unavailable
from training.world import FilmSpec, draw, write_film

SCORES = ("motion", "loudness", "sync", "diegesis", "speech")
"""Those of the default recipe that need no weights."""

SHARED = 0.85


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much video."""
    parser.add_argument("--seconds", type=float, default=60, help="length of the film")
    parser.add_argument("--copies", type=int, default=4, help="videos that a thread measures")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; the fastest counts")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)


def run(options: argparse.Namespace) -> Result:
    """Time every step, and all of it in one thread and in many."""
    scores, seconds = usable(), options.seconds
    with tempfile.TemporaryDirectory(prefix="clapboard-bench-") as scratch:
        folder = Path(scratch)
        write_film(
            draw(FilmSpec(scene="playing_drum", seed=3, duration_s=seconds, width_px=640, height_px=360)),
            folder / "film.mp4",
        )
        cost_s = _costs(folder / "film.mp4", scores, options.rounds)
        speed = dict.fromkeys(sorted({1, options.threads}), 0.0)
        for at in range(options.rounds):
            for threads in speed:
                lot = folder / f"{at}-{threads}"
                speed[threads] = max(speed[threads], _speed(folder / "film.mp4", lot, scores, threads, options))
    bare_s = cost_s["bare decoding"]
    rows: list[Row] = [
        {"step": name, "ms a second of video": round(1000 * took / seconds, 2), "of bare": round(took / bare_s, 2)}
        for name, took in cost_s.items()
    ]
    most = options.threads
    share = speed[most] / speed[1] / most
    goals = [Goal(f"{most} threads, of {most} times one", f">= {SHARED}", f"{share:.3f}", share >= SHARED)]
    notes = [f"{threads} threads: {rate:.1f} seconds of video a second" for threads, rate in speed.items()]
    return Result(rows=rows, goals=goals, notes=notes, packages=("av", "numpy", "scipy", "torch", "silero-vad"))


def _costs(film: Path, scores: Sequence[Score], rounds: int) -> dict[str, float]:
    """Seconds that each step takes for the whole film, the fastest of some rounds."""
    line, recipe = analyse(film), Recipe()
    windows = [Window(line, start, end) for start, end in _spans(line, recipe)]
    steps: dict[str, Callable[[], object]] = {
        "bare decoding": lambda: bare_decode(film),
        "analysis, decoding included": lambda: analyse(film),
        "shots and fingerprint": lambda: (find_shots(line, recipe.shots), fingerprint(line)),
    }
    steps |= {score.name: partial(score.score, windows) for score in scores}
    return {name: min(_timed(step) for _ in range(rounds)) for name, step in steps.items()}


def _spans(line: Timeline, recipe: Recipe) -> list[tuple[int, int]]:
    window_us, stride_us = (round(1e6 * each) for each in (recipe.clips.window_s, recipe.clips.stride_s))
    whole = (0, line.duration_us)
    found = propose([whole], window_us=window_us, stride_us=stride_us, frame_us=line.frame_us, span_us=whole)
    return [(one.start_us, one.end_us) for one in found]


def _speed(film: Path, lot: Path, scores: Sequence[Score], threads: int, options: argparse.Namespace) -> float:
    """Seconds of video a second, of copies of the film on their way from file to scores in a ledger of their own.

    A first copy for each thread starts the workers and loads the models, and does not count.
    """
    lot.mkdir()
    for at in range((1 + options.copies) * threads):
        (lot / f"{at}.mp4").hardlink_to(film)
    home, recipe = Home(lot.with_suffix(".home")), Recipe()
    with home.ledger() as ledger, MediaWorkers(threads, analysis=recipe.analysis) as workers:
        register(ledger, iter_sources([str(lot)]))
        videos = videos_to_fetch(ledger)
        for video in videos:
            fetch_video(ledger, video, home=home, settings=recipe.fetch)

        def one(video: str) -> None:
            assert measure_video(ledger, video, scores, recipe=recipe, analyser=workers.analyse) is Outcome.OK

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, videos[:threads]))
            begun = time.perf_counter()
            list(pool.map(one, videos[threads:]))
            return len(videos[threads:]) * float(options.seconds) / (time.perf_counter() - begun)


def _timed(step: Callable[[], object]) -> float:
    begun = time.perf_counter()
    step()
    return time.perf_counter() - begun


def usable() -> list[Score]:
    """The scores that run on this machine."""
    found = []
    for score in build(SCORES):
        try:
            score.check()
        except Unavailable:
            continue
        found.append(score)
    return found
