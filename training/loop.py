"""The training loop: AdamW on the adapter, clipped gradients, a moving average, checkpoints that can be gone on from.

A step is `step.py`'s; the moving average is ours, and stage two and sampling use it [ours].

Between two lines of the log the host never waits for the device: losses and norms stay there until then.
"""

import math
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shards.errors import TrainingError
from training.adapter import AudioAdapter
from training.backbones.base import Backbone
from training.config import TrainConfig
from training.data import ClipSet, Draw
from training.ema import ema_decay, ema_update
from training.feed import Feed
from training.log import RunLog
from training.parallel import World
from training.probe import SyncProbe
from training.profile import Meter
from training.progress import Progress
from training.state import (
    Checkpoint,
    History,
    load_average,
    newest_checkpoint,
    optimiser_tensors,
    restore_optimiser,
    save_average,
    save_checkpoint,
)
from training.step import Pending, make_optimiser, take_step

TIME_BANDS = 4
"""The log shows the loss by quarter of the time, 0 data, 1 noise: they lie far apart and hide each other."""


@dataclass(frozen=True, slots=True)
class LoopResult:
    """Where the loop ended.

    Attributes:
        average: the averaged weights by name; the best ones where the run stopped early.
        history: what happened in all steps of the run, those before a resume included.
        resumed_from: the step it went on from; 0 for a fresh run.
        stopped: whether it was asked to stop (SIGTERM) before its last step.
    """

    average: dict[str, Tensor]
    history: "History"
    resumed_from: int
    stopped: bool


@dataclass(frozen=True)
class Extras:
    """What a loop does besides training.

    Attributes:
        probe: the sync probe of an adapter with these weights.
        sample: make sample videos of a step with these weights; returns name -> file.
        meter: counts time, operations and memory.
    """

    probe: Callable[[dict[str, Tensor]], SyncProbe] | None = None
    sample: Callable[[int, dict[str, Tensor]], dict[str, Path]] | None = None
    meter: Meter = field(default_factory=Meter)


def run_loop(
    adapter: AudioAdapter,
    backbone: Backbone,
    clips: ClipSet,
    draw: Draw,
    config: TrainConfig,
    *,
    folder: Path,
    world: World,
    extras: Extras | None = None,
    progress: Progress | None = None,
) -> LoopResult:
    """Train until `config.steps`, from the newest checkpoint in `folder` where there is one.

    Raises:
        TrainingError: the loss is no longer a number, or the device has no memory left; the last good checkpoint stays.
    """
    extras = extras or Extras()
    optimiser = make_optimiser(adapter, config)
    average = {name: weight.detach().clone() for name, weight in adapter.named_parameters()}
    history = History()
    if found := newest_checkpoint(folder / "checkpoints"):
        adapter.load_state_dict(found.adapter)
        average = {name: tensor.to(world.device) for name, tensor in found.average.items()}
        restore_optimiser(optimiser, found.optimiser)
        history = found.history
    first = len(history.losses)
    log = (
        RunLog(folder, first_step=first, trackers=config.trackers, config=config.model_dump(mode="json"))
        if (world.leads)
        else None
    )
    pending: list[Pending] = []
    with (
        adapter.attached(backbone.network),
        Feed(clips, draw, world, batch=config.batch, ahead=config.loaders) as feed,
        stop_requests() as stop,
    ):
        for step in range(first, config.steps):
            batch, waited_s = feed.take(step)
            pending.append(take_step(adapter, backbone, batch, config, optimiser, step=step, world=world))
            pending[-1].waited_s = waited_s
            ema_update(average, adapter.named_parameters(), decay=ema_decay(step, config.ema))
            done = step + 1 == config.steps
            due = _due(step + 1, config.log_every) or done
            saving = done or _due(step + 1, config.save_every)
            probing = extras.probe is not None and _due(step + 1, config.probe_every)
            if due or saving or probing:
                _settle(pending, history, log, extras.meter, world)
                if progress:
                    progress(step + 1, config.steps, f"loss {history.losses[-1]:.3f}")
            # Ranks ask each other now and then only: it makes the host wait.
            stopping = (world.size == 1 or due or saving) and world.any(stop.is_set())
            if stopping:
                _settle(pending, history, log, extras.meter, world)
            if probing and extras.probe is not None:
                found_now = extras.probe(average)
                history.probes.append((step + 1, found_now.to_json()))
                if log:
                    log.write(step + 1, {"probe": found_now.to_json()})
                if world.leads and history.newest_is_best():
                    save_average(folder / "checkpoints" / "best", average)
            if extras.sample is not None and _due(step + 1, config.sample_every):
                for name, path in extras.sample(step + 1, average).items():
                    if log:
                        log.video(step + 1, name, path)
            early = bool(config.patience) and history.probes_since_best() >= config.patience
            if (saving or stopping or early) and world.leads:
                state = Checkpoint(step + 1, _weights(adapter), average, optimiser_tensors(optimiser), history)
                save_checkpoint(folder / "checkpoints", state, keep=config.keep)
            if early:
                break
            if stopping and not done:
                _close(log)
                return LoopResult(average, history, first, stopped=True)
    _close(log)
    world.wait()
    best = folder / "checkpoints" / "best"
    if config.patience and best.is_dir():
        average = {name: tensor.to(world.device) for name, tensor in load_average(best).items()}
    return LoopResult(average, history, first, stopped=False)


def _settle(pending: list[Pending], history: History, log: RunLog | None, meter: Meter, world: World) -> None:
    """Bring the numbers of some steps over from the device: the one place where the host waits."""
    if not pending:
        return
    numbers = torch.stack([torch.stack([one.losses.mean(), one.norm.to(one.losses.device)]) for one in pending])
    world.average([numbers])
    said = numbers.tolist()
    speed = meter.lap(steps=len(pending), clips=sum(one.clips for one in pending), device=world.device)
    waited_s = sum(one.waited_s for one in pending)
    for one, (loss, norm) in zip(pending, said, strict=True):
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise TrainingError(
                f"the loss of step {one.step} is {loss} and its gradient {norm}",
                remedy="the last checkpoint is kept; lower `lr` or raise `warmup_steps`, then start anew",
            )
        history.losses.append(loss)
        if log:
            values: dict[str, Any] = {"loss": loss, "lr": one.rate, "grad_norm": norm}
            if one is pending[-1]:
                values |= {"loss_by_time": _by_time(pending), **speed, "stall": waited_s / max(meter.last_s, 1e-9)}
            log.write(one.step, values)
    pending.clear()


def _by_time(pending: Sequence[Pending]) -> dict[str, float]:
    """Mean loss of each quarter of the time, over some steps of this rank."""
    times = torch.cat([one.times for one in pending]).cpu()
    losses = torch.cat([one.losses for one in pending]).float().cpu()
    bands = (times * TIME_BANDS).long().clamp(0, TIME_BANDS - 1)
    return {
        f"{band / TIME_BANDS:.2f}-{(band + 1) / TIME_BANDS:.2f}": round(float(losses[bands == band].mean()), 6)
        for band in range(TIME_BANDS)
        if bool((bands == band).any())
    }


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """An event that SIGTERM sets while the block runs; outside the main thread nobody can set it but the caller."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)


def _weights(adapter: AudioAdapter) -> dict[str, Tensor]:
    return dict(adapter.named_parameters())


def _due(step: int, every: int) -> bool:
    return bool(every) and step % every == 0


def _close(log: RunLog | None) -> None:
    if log:
        log.close()
