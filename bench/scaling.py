"""What do a million, a hundred million and ten billion clips take? Arithmetic on what other benchmarks measured here.

Measured in this run: seconds and bytes of cutting a clip. Read from their saved results: measuring a second of video
(`measuring`), deciding windows (`ledger_postgres`), what ledger and flow cost by themselves (`orchestration`), and
writing a snapshot (`snapshots`). Assumed, and to be said by whoever knows better: the options.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from bench.orchestration import WINDOWS
from bench.result import RESULTS, Result, Row
from curation.home.cutting import CutFacts

SIZES = {"1 million": 1e6, "100 million": 1e8, "10 billion": 1e10}
STEPS = ("analysis, decoding included", "shots and fingerprint", "motion", "loudness", "sync", "speech")
"""Those of the default recipe that need no weights."""

TB, HOUR_S, DAYS = 1e12, 3600.0, 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is assumed."""
    parser.add_argument("--clip-s", type=float, default=5.0, help="length of a published clip")
    parser.add_argument("--source-s", type=float, default=60.0, help="length of a fetched video")
    parser.add_argument("--clips-a-video", type=float, default=2.0, help="published clips of a fetched video")
    parser.add_argument("--source-mbit", type=float, default=2.0, help="bit rate of what is fetched (720p)")
    parser.add_argument("--videos-an-hour", type=float, default=250.0, help="asked of one host by one address")
    parser.add_argument("--core-hour", type=float, default=0.04, help="dollars for a core for an hour")
    parser.add_argument("--tb-month", type=float, default=23.0, help="dollars for a terabyte of objects for a month")


def run(options: argparse.Namespace) -> Result:
    """A row for each size."""
    cut_s, cut_bytes = _cutting(options.clip_s)
    measure_s = sum(_saved("measuring", "step", step, "ms a second of video") for step in STEPS) / 1000
    windows_a_s = _saved("ledger_postgres", "what", "decide under another policy", "windows_per_s")
    orchestration = json.loads((RESULTS / "orchestration.json").read_text())["rows"][-1]
    overhead_s = orchestration["processor, ms a video"] / 1000
    written, writing_s = (_saved("snapshots", "step", "publish", column) for column in ("written_mb", "seconds"))
    windows = max(1.0, (options.source_s - 3.0) / 0.5 + 1)
    rows: list[Row] = []
    for name, clips in SIZES.items():
        videos = clips / options.clips_a_video
        core_s = videos * (options.source_s * measure_s + overhead_s) + clips * cut_s
        fetched, kept = videos * options.source_s * options.source_mbit * 1e6 / 8, clips * cut_bytes
        rows.append(
            {
                "clips": name,
                "videos": f"{videos:.1g}",
                "fetched, TB": _round(fetched / TB),
                "snapshot, TB": _round(kept / TB),
                "ledger, GB": _round(videos * (windows / WINDOWS) * orchestration["ledger, KiB a video"] * 1024 / 1e9),
                "core hours": _round(core_s / HOUR_S),
                f"cores for {DAYS} days": _round(core_s / (DAYS * 86_400)),
                "Gbit/s": _round(fetched * 8 / (DAYS * 86_400) / 1e9),
                f"addresses for {DAYS} days, one host": _round(videos / options.videos_an_hour / (DAYS * 24)),
                "decide again, hours": _round(videos * windows / windows_a_s / HOUR_S),
                "write the snapshot, hours": _round(kept / (written * 1e6 / writing_s) / HOUR_S),
                "cores, $": _round(core_s / HOUR_S * options.core_hour),
                "snapshot, $ a month": _round(kept / TB * options.tb_month),
            }
        )
    notes = [
        f"Assumed: clips of {options.clip_s:g} s, {options.clips_a_video:g} of a video of {options.source_s:g} s, "
        f"fetched at {options.source_mbit:g} Mbit/s; {options.videos_an_hour:g} videos an hour of one host from one "
        f"address; ${options.core_hour:g} a core hour, ${options.tb_month:g} a terabyte month. The disk holds what is "
        "under way (`store.keep: until_decided`).",
        f"Measured: {1000 * measure_s:.1f} ms of one core for a second of video by the scores that need no weights, "
        f"{cut_s:.2f} s and {cut_bytes / 1e6:.2f} MB for a clip, {1000 * overhead_s:.1f} ms a video for ledger and "
        "flow. Published networks (CLIP, CLAP) want a GPU at these sizes; their speed on one is not measured.",
    ]
    return Result(rows=rows, notes=notes, packages=("av", "sqlalchemy"))


def _saved(bench: str, key: str, value: str, column: str) -> float:
    rows = json.loads((RESULTS / f"{bench}.json").read_text())["rows"]
    return float(next(row[column] for row in rows if row[key] == value))


def _round(value: float) -> float:
    """Two digits that count: nothing here is known better."""
    return float(f"{value:.2g}")


def _cutting(clip_s: float) -> tuple[float, float]:
    """Seconds of one core, and bytes, for a clip of a drawn film of 640 x 360."""
    from curation.home.cutting import CutFiles
    from curation.media.sandbox import MediaWorkers
    from training.world import FilmSpec, draw, write_film

    with tempfile.TemporaryDirectory() as scratch, MediaWorkers(count=1) as workers:
        film, took, facts = Path(scratch) / "film.mp4", list[float](), list[CutFacts]()
        spec = FilmSpec(scene="playing_drum", seed=1, duration_s=6 * clip_s, width_px=640, height_px=360)
        write_film(draw(spec), film)
        for number in range(5):
            begin = time.perf_counter()
            start_us = round(number * clip_s * 1e6)
            made = workers.cut(film, start_us=start_us, end_us=start_us + round(clip_s * 1e6))
            files = CutFiles(Path(scratch) / str(number))
            files.write(made)
            took.append(time.perf_counter() - begin)
            facts.append(files.facts())
    size = sum(one.mp4_bytes + one.flac_bytes for one in facts) / len(facts)
    return sorted(took)[len(took) // 2], size
