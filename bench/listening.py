"""Does an adapter on the generator that ships learn to listen, within minutes on a processor? Trained on drawn films,
probed on others.

The probe is the loss on held-out films with the sound moved, minus that with the true sound; its error is taken over
films. Above zero by more than twice its error, the model uses when things sound.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from bench.drawn import drawn_snapshot
from bench.result import Goal, Result, Row
from training.loop.log import METRICS, read_metrics
from training.settings.config import stage_config
from training.stages.result import StageResult
from training.stages.stage import train_stage

MOST_S = 180.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much is learnt from."""
    parser.add_argument("--films", type=int, default=60, help="drawn films, a fifth of them held out")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a film")
    parser.add_argument("--steps", type=int, default=160, help="steps of training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="a run each; other films, other weights")


def run(options: argparse.Namespace) -> Result:
    """Train and probe once for every seed."""
    rows: list[Row] = []
    goals: list[Goal] = []
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            drawn_snapshot(
                folder / "snapshots", "drawn", films=options.films, seconds=options.seconds, seed=1000 * seed
            )
            begun = time.perf_counter()
            result = _trained(folder, options.steps, seed)
            took_s = time.perf_counter() - begun
            rows += _rows(result, seed)
        gap, error = result.probe["shift_gap"], result.probe["shift_gap_error"]
        goals += [
            Goal(f"seed {seed}: a moved sound costs", "> 2 errors", f"{gap:+.5f} +- {error:.5f}", gap > 2 * error),
            Goal(f"seed {seed}: from snapshot to probe", f"<= {MOST_S:.0f} s", f"{took_s:.0f} s", took_s <= MOST_S),
        ]
    notes = [f"{os.cpu_count()} cores; encoding and all probes are in the time"]
    return Result(rows=rows, goals=goals, notes=notes, packages=("torch", "diffusers"))


def _trained(folder: Path, steps: int, seed: int) -> StageResult:
    config = stage_config(
        1, snapshot="drawn", steps=steps, probe_every=max(steps // 4, 1), held_out=0.2, probe_clips=48, seed=seed,
        device="cpu",
    )  # fmt: skip
    return train_stage(config, snapshots_root=folder / "snapshots", runs_root=folder / "runs")


def _rows(result: StageResult, seed: int) -> list[Row]:
    probes = [(line["step"], line["probe"]) for line in read_metrics(result.run_dir / METRICS) if "probe" in line]
    return [
        {
            "seed": seed,
            "step": step,
            "true sound": round(probe["matched"], 5),
            "moved": round(probe["shifted"], 5),
            "another's": round(probe["swapped"], 5),
            "none": round(probe["silent"], 5),
            "moved - true": round(probe["shift_gap"], 5),
            "error": round(probe["shift_gap_error"], 5),
        }
        for step, probe in probes
    ]
