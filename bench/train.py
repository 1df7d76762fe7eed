"""How close training comes to the bare frozen model: adapter, cache, compilation, recomputation; MFU on a GPU.

Weights are random: they compute as long as trained ones. "Bare" is the generator alone, forward and back down to the
first site, without adapter, optimiser or data. Ways take turns; a ratio is the middle one of its turns.
"""

import argparse
import statistics
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.result import Goal, Result, Row, device_name
from bench.training import Measured, Subject, Way, cached, compare, live, middle_ratio
from training.backbones import BACKBONES, open_backbone, shape_of
from training.loop.profile import peak_flops, step_cost
from training.parallel import chosen_device
from training.settings.config import Checkpointing, TrainConfig, stage_config
from training.settings.options import SiteChoice
from training.stages.fitting import fitted_config

Found = Mapping[str, Measured]


@dataclass(frozen=True, slots=True)
class _Cost:
    """What is trained, and the operations of one clip in one step, nothing computed twice."""

    trained: int
    frozen: int
    flops: float
    shape: str


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
    cost = _cost(config)
    found, stall = _fed(config, options, device)
    if "deep" not in options.without:
        found |= _measured(_depths(config, device), options, device)
    return Result(
        rows=_rows(found, options.batch),
        goals=[*_goals(found, stall), *_on_a_gpu(cost, found, options.batch, device)],
        notes=_notes(config, cost, device),
        packages=("torch", "diffusers", "safetensors"),
        variant="" if (config.backbone, device) == ("tiny", "cpu") else f"{config.backbone}-{device.partition(':')[0]}",
    )


def _fed(config: TrainConfig, options: argparse.Namespace, device: str) -> tuple[dict[str, Measured], float]:
    """The bare generator, and training by what it is fed from; the share of time spent waiting for the cache."""
    subject = Subject(config, device)
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as feeds:
        from_cache = feeds.enter_context(closing(cached(subject, Path(scratch))))
        ways = {
            "bare": Way(subject, subject.bare),
            "from memory": Way(subject, subject.train),
            "from the cache": Way(subject, from_cache.train),
        }
        if config.backbone == "tiny" and "live" not in options.without:
            anew = feeds.enter_context(closing(live(subject, Path(scratch))))
            ways["decoded and encoded anew"] = Way(subject, anew.train)
        if "compiled" not in options.without:
            compiled = Subject(config.model_copy(update={"compile": True}), device)
            ways["compiled"] = Way(compiled, compiled.train)
        found = _measured(ways, options, device)
        # While it warms up, loaders start.
        waited_s = sum(from_cache.waited_s[options.warm :])
        return found, waited_s / sum(found["from the cache"].seconds) / options.steps


def _depths(config: TrainConfig, device: str) -> dict[str, Way]:
    """As many parameters in every second block, recomputed, as in the last half, kept or partly recomputed."""
    changes: dict[str, dict[str, Any]] = {
        "every second block, recomputed": {"sites": SiteChoice.ALTERNATE, "checkpointing": Checkpointing.ALL},
        "late half": {"sites": SiteChoice.LATE},
        "late half, partly recomputed": {"sites": SiteChoice.LATE, "checkpointing": Checkpointing.SELECTIVE},
    }
    subjects = {name: Subject(config.model_copy(update=change), device) for name, change in changes.items()}
    return {name: Way(subject, subject.train) for name, subject in subjects.items()}


def _measured(ways: Mapping[str, Way], options: argparse.Namespace, device: str) -> dict[str, Measured]:
    return compare(ways, warm=options.warm, steps=options.steps, turns=options.turns, device=device)


def _rows(found: Found, batch: int) -> list[Row]:
    rows: list[Row] = []
    for name, one in found.items():
        step_s = statistics.median(one.seconds)
        row: Row = {
            "way": name,
            "s a step": round(step_s, 4),
            "clips/s": round(batch / step_s, 3),
            "of bare": round(_speed(found, name, of="bare"), 3),
            "first step, s": round(one.first_s, 1),
        }
        rows.append(row | ({"peak GiB": round(one.peak_bytes / 2**30, 1)} if one.peak_bytes else {}))
    return rows


def _speed(found: Found, name: str, *, of: str) -> float:
    return middle_ratio(found[of].seconds, found[name].seconds)


def _goals(found: Found, stall: float) -> list[Goal]:
    over = 1 / _speed(found, "from memory", of="bare") - 1
    share = _speed(found, "from the cache", of="from memory")
    goals = [
        Goal("what adapter and optimiser add to the bare generator", "<= 5 %", f"{over:+.1%}", over <= 0.05),
        Goal("time spent waiting for the cache", "< 0.5 %", f"{stall:.2%}", stall < 0.005),
        Goal("speed from the cache, of that from memory", ">= 0.99", f"{share:.3f}", share >= 0.99),
    ]
    if "compiled" in found:
        gain = _speed(found, "compiled", of="from memory")
        goals.append(Goal("compiled, of the speed without", ">= 1.25", f"{gain:.2f}", gain >= 1.25))
    if "late half" in found:
        faster = _speed(found, "late half", of="every second block, recomputed")
        goals.append(
            Goal("late half, of the speed of every second, recomputed", ">= 1.8", f"{faster:.2f}", faster >= 1.8)
        )
    return goals


def _on_a_gpu(cost: _Cost, found: Found, batch: int, device: str) -> list[Goal]:
    """The share of a GPU's arithmetic that the faster of two ways uses, and its memory; nothing on a processor."""
    peak = peak_flops(device)
    if not peak:
        return []
    best = min(
        (found[name] for name in ("from the cache", "compiled") if name in found),
        key=lambda one: statistics.median(one.seconds),
    )
    share, gib = cost.flops * batch / statistics.median(best.seconds) / peak, best.peak_bytes / 2**30
    return [
        Goal("MFU", ">= 45 %", f"{share:.1%}", share >= 0.45),
        Goal("peak memory", "<= 65 GiB", f"{gib:.1f} GiB", gib <= 65),
    ]


def _cost(config: TrainConfig) -> _Cost:
    backbone = open_backbone(config.backbone, config.options())
    adapter = fitted_config(config, shape_of(backbone))
    height, width = backbone.size_px
    shape = f"{backbone.video.frames} frames of {height} x {width}"
    return _Cost(adapter.parameters(), backbone.parameter_count(), step_cost(adapter, backbone).flops, shape)


def _notes(config: TrainConfig, cost: _Cost, device: str) -> list[str]:
    return [
        f"{config.backbone}, {cost.shape}, on {device_name(device)}, batches of {config.batch}, "
        f"{cost.trained / 1e6:.2f} M trained beside {cost.frozen / 1e6:.1f} M",
        f"{cost.flops / 1e12:.3f} TFLOP a clip forward and backward, nothing computed twice",
    ]
