"""How close training comes to the bare frozen model: adapter, cache, compilation, recomputation; MFU on a GPU.

Weights are random: they compute as long as trained ones. "Bare" is the generator alone, forward and back down to the
first site, without adapter, optimiser or data. All ways take turns; a ratio is the middle one of its turns.
"""

import argparse
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from bench.result import Goal, Result, Row
from bench.training import Fed, Step, Subject, cached, compare, live, middle_ratio
from training.backbones import BACKBONES
from training.config import Checkpointing, TrainConfig, stage_config
from training.options import SiteChoice
from training.parallel import chosen_device
from training.profile import peak_flops, step_cost

Turns = Mapping[str, Sequence[float]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is trained, and for how long."""
    parser.add_argument("--backbone", default="tiny", choices=sorted(BACKBONES), help="at random weights")
    parser.add_argument("--encoders", nargs="*", default=["mel"], help="whose shapes the features have")
    parser.add_argument("--device", default="auto", help="cpu, cuda, or auto")
    parser.add_argument("--batch", type=int, default=8, help="clips a step")
    parser.add_argument("--size", type=int, nargs=2, metavar="PX", help="height and width, not the backbone's own")
    parser.add_argument("--frames", type=int, help="frames of a clip, not the backbone's own")
    parser.add_argument("--steps", type=int, default=8, help="steps of a turn")
    parser.add_argument("--warm", type=int, default=3, help="steps of every way beforehand")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument(
        "--without", nargs="*", default=[], choices=["compiled", "deep", "live"], help="ways to leave out"
    )


def run(options: argparse.Namespace) -> Result:
    """Measure one backbone on one device."""
    device = chosen_device(options.device)
    config = stage_config(
        1,
        backbone=options.backbone,
        encoders=options.encoders,
        batch=options.batch,
        frames=options.frames,
        size_px=options.size,
        device=device,
    )
    subject = Subject(config, device)
    pace = {"warm": options.warm, "steps": options.steps, "turns": options.turns}
    with tempfile.TemporaryDirectory() as scratch:
        fed: list[Fed] = [cached(subject, Path(scratch))]
        ways = {"bare": subject.bare, "from memory": subject.train, "from the cache": fed[0].train}
        if options.backbone == "tiny" and "live" not in options.without:
            fed.append(live(subject, Path(scratch)))
            ways["decoded and encoded anew"] = fed[1].train
        if "compiled" not in options.without:
            ways["compiled"] = Subject(config.model_copy(update={"compile": True}), device).train
        seconds = compare(ways, **pace, device=device)
        stall, peak_bytes = fed[0].stall, _peak_bytes(device)
        for one in fed:
            one.close()
    if "deep" not in options.without:
        seconds |= compare(_depths(config, device), **pace, device=device)
    notes = _notes(options, subject, device, peak_bytes)
    return Result(
        rows=_rows(seconds, options.batch),
        goals=[*_goals(seconds, stall), *_mfu(subject, seconds, options.batch, device)],
        notes=notes,
        packages=("torch", "diffusers", "safetensors"),
    )


def _depths(config: TrainConfig, device: str) -> dict[str, Step]:
    """As many parameters in every second block, recomputed, as in the last half, kept."""
    deep = {"sites": SiteChoice.ALTERNATE, "checkpointing": Checkpointing.ALL}
    late = {"sites": SiteChoice.LATE}
    return {
        "every second block, recomputed": Subject(config.model_copy(update=deep), device).train,
        "late half": Subject(config.model_copy(update=late), device).train,
    }


def _rows(seconds: Turns, batch: int) -> list[Row]:
    rows: list[Row] = []
    for name, turns in seconds.items():
        one = statistics.median(turns)
        share = round(middle_ratio(seconds["bare"], turns), 3)
        rows.append({"way": name, "s a step": round(one, 4), "clips/s": round(batch / one, 3), "of bare": share})
    return rows


def _goals(seconds: Turns, stall: float) -> list[Goal]:
    over = middle_ratio(seconds["from memory"], seconds["bare"]) - 1
    share = middle_ratio(seconds["from memory"], seconds["from the cache"])
    goals = [
        Goal("what adapter and optimiser add to the bare generator", "<= 5 %", f"{over:+.1%}", over <= 0.05),
        Goal("time spent waiting for the cache", "< 0.5 %", f"{stall:.2%}", stall < 0.005),
        Goal("speed from the cache, of that from memory", ">= 0.99", f"{share:.3f}", share >= 0.99),
    ]
    if "compiled" in seconds:
        gain = middle_ratio(seconds["from memory"], seconds["compiled"])
        goals.append(Goal("compiled, of the speed without", ">= 1.25", f"{gain:.2f}", gain >= 1.25))
    if "late half" in seconds:
        faster = middle_ratio(seconds["every second block, recomputed"], seconds["late half"])
        goals.append(
            Goal("late half, of the speed of every second, recomputed", ">= 1.8", f"{faster:.2f}", faster >= 1.8)
        )
    return goals


def _mfu(subject: Subject, seconds: Turns, batch: int, device: str) -> list[Goal]:
    """The share of a GPU's arithmetic that the best fed way uses; nothing on a processor, whose peak nobody states."""
    peak = peak_flops(device)
    if not peak:
        return []
    best = min(statistics.median(seconds[name]) for name in ("from the cache", "compiled") if name in seconds)
    share = step_cost(subject.adapter.config, subject.backbone).flops * batch / best / peak
    return [Goal("MFU", ">= 45 %", f"{share:.1%}", share >= 0.45)]


def _notes(options: argparse.Namespace, subject: Subject, device: str, peak_bytes: int) -> list[str]:
    trained, frozen = subject.adapter.config.parameters(), subject.backbone.parameter_count()
    cost = step_cost(subject.adapter.config, subject.backbone)
    height, width = subject.backbone.size_px
    notes = [
        f"{options.backbone}, {subject.backbone.video.frames} frames of {height} x {width}, on {_named(device)}, "
        f"batches of {options.batch}, {trained / 1e6:.2f} M trained beside {frozen / 1e6:.1f} M",
        f"{cost.flops / 1e12:.3f} TFLOP a clip forward and backward, nothing computed twice",
    ]
    return [*notes, f"peak memory {peak_bytes / 2**30:.1f} GiB"] if peak_bytes else notes


def _peak_bytes(device: str) -> int:
    return int(torch.cuda.max_memory_allocated(device)) if device.startswith("cuda") else 0


def _named(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "the processor"
