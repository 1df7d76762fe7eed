"""The training loop: AdamW on the adapter, clipped gradients, a moving average, checkpoints that can be gone on from.

A step is `step.py`'s; the moving average is ours, and stage two and sampling use it [ours].

Between two lines of the log the host never waits for the device: losses and norms stay there until then.
"""

import math
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shards.errors import TrainingError
from training.adapter.layer import AudioAdapter
from training.backbones.base import Backbone
from training.data.batches import Batch, Draw
from training.data.clips import Examples
from training.data.feed import Feed
from training.loop.checkpoint import (
    Checkpoint,
    History,
    load_average,
    newest_checkpoint,
    optimiser_tensors,
    restore_optimiser,
    save_average,
    save_checkpoint,
)
from training.loop.ema import ema_decay, ema_update
from training.loop.log import RunLog
from training.loop.probe import SyncProbe
from training.loop.profile import Meter
from training.loop.step import Pending, make_optimiser, take_step
from training.parallel import World
from training.progress import Progress
from training.settings.config import TrainConfig

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
        trackers: where else the leading rank logs; see `log.open_trackers`.
    """

    probe: Callable[[dict[str, Tensor]], SyncProbe] | None = None
    sample: Callable[[int, dict[str, Tensor]], dict[str, Path]] | None = None
    meter: Meter = field(default_factory=Meter)
    trackers: Sequence[Any] = ()


def run_loop(
    adapter: AudioAdapter,
    backbone: Backbone,
    clips: Examples,
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
    run = _Run(adapter, backbone, config, folder, world, extras or Extras(), progress)
    first = run.resume()
    with (
        adapter.attached(backbone.network),
        Feed(clips, draw, world, batch=config.batch, ahead=config.loaders) as feed,
        stop_requests() as stop,
    ):
        for step in range(first, config.steps):
            batch, waited_s = feed.take(step)
            run.advance(batch, step, waited_s=waited_s)
            if run.ends_after(step + 1, stop):
                break
    if run.stopped:
        return LoopResult(run.average, run.history, first, stopped=True)
    if stop.is_set() and world.size == 1:
        # It came with the last step, of which a checkpoint is kept: whoever runs this shall not go on with another run.
        signal.raise_signal(signal.SIGTERM)
    world.wait()
    return LoopResult(run.best_average(), run.history, first, stopped=False)


@dataclass(frozen=True, slots=True)
class _Due:
    """What belongs to a step besides taking it."""

    log: bool
    save: bool
    probe: bool
    sample: bool


class _Run:
    """A run between its first and its last step: weights, what happened so far, and steps not yet brought over."""

    def __init__(
        self,
        adapter: AudioAdapter,
        backbone: Backbone,
        config: TrainConfig,
        folder: Path,
        world: World,
        extras: Extras,
        progress: Progress | None,
    ) -> None:
        self._adapter, self._backbone, self._config, self._world = adapter, backbone, config, world
        self._folder, self._checkpoints, self._extras, self._progress = folder, folder / "checkpoints", extras, progress
        self._optimiser = make_optimiser(adapter, config)
        self._log: RunLog | None = None
        self._pending: list[Pending] = []
        self.average = {name: weight.detach().clone() for name, weight in adapter.named_parameters()}
        self.history = History()
        self.stopped = False

    def resume(self) -> int:
        """Go on from the newest checkpoint where there is one, and open the log; returns the steps that were taken."""
        if found := newest_checkpoint(self._checkpoints):
            self._adapter.load_state_dict(found.adapter)
            self.average = self._here(found.average)
            restore_optimiser(self._optimiser, found.optimiser)
            self.history = found.history
        first = len(self.history.losses)
        if self._world.leads:
            self._log = RunLog(self._folder, first_step=first, trackers=self._extras.trackers)
        return first

    def advance(self, batch: Batch, step: int, *, waited_s: float) -> None:
        """Take a step; its numbers stay on the device."""
        taken = take_step(
            self._adapter, self._backbone, batch, self._config, self._optimiser, step=step, world=self._world
        )
        taken.waited_s = waited_s
        self._pending.append(taken)
        ema_update(self.average, self._adapter.named_parameters(), decay=ema_decay(step, self._config.ema))

    def ends_after(self, step: int, stop: threading.Event) -> bool:
        """Do what is due after `step` steps; whether the run ends there, asked to or because it gets no better."""
        due = self._due(step)
        if due.log or due.save or due.probe:
            self._settle()
            self._tell(step)
        # Ranks ask each other now and then only: it makes the host wait.
        stopping = (self._world.size == 1 or due.log or due.save) and self._world.any(stop.is_set())
        if stopping:
            self._settle()
        if due.probe:
            self._probe(step)
        if due.sample:
            self._sample(step)
        early = bool(self._config.patience) and self.history.probes_since_best() >= self._config.patience
        if due.save or stopping or early:
            self._save(step)
        self.stopped = stopping and not early and step < self._config.steps
        return stopping or early

    def best_average(self) -> dict[str, Tensor]:
        """The averaged weights of the best probe where the run may stop early, else the newest."""
        best = self._checkpoints / "best"
        return self._here(load_average(best)) if self._config.patience and best.is_dir() else self.average

    def _due(self, step: int) -> _Due:
        config, done = self._config, step == self._config.steps
        return _Due(
            log=done or _every(step, config.log_every),
            save=done or _every(step, config.save_every),
            probe=self._extras.probe is not None and _every(step, config.probe_every),
            sample=self._extras.sample is not None and _every(step, config.sample_every),
        )

    def _settle(self) -> None:
        """Bring the numbers of some steps over from the device: the one place where the host waits."""
        if not self._pending:
            return
        rows = [torch.stack([one.losses.mean(), one.norm.to(one.losses.device)]) for one in self._pending]
        numbers = torch.stack(rows)
        self._world.average([numbers])
        said: list[list[float]] = numbers.tolist()
        more = {"loss_by_time": _by_time(self._pending)} | self._speed()
        for one, (loss, norm) in zip(self._pending, said, strict=True):
            _check_finite(one.step, loss, norm)
            self.history.losses.append(loss)
            values = {"loss": loss, "lr": one.rate, "grad_norm": norm}
            self._write(one.step, values | (more if one is self._pending[-1] else {}))
        self._pending.clear()

    def _speed(self) -> dict[str, Any]:
        """What the meter says of the pending steps, and the share of their time that went by waiting for batches."""
        meter, clips = self._extras.meter, sum(one.clips for one in self._pending)
        speed = meter.lap(steps=len(self._pending), clips=clips, device=self._world.device)
        waited_s = sum(one.waited_s for one in self._pending)
        return {**speed, "stall": waited_s / max(meter.last_s, 1e-9)}

    def _tell(self, step: int) -> None:
        if self._progress:
            self._progress(step, self._config.steps, f"loss {self.history.losses[-1]:.3f}")

    def _probe(self, step: int) -> None:
        """Probe the average, and keep it where it is the best one so far."""
        if self._extras.probe is None:
            return
        found = self._extras.probe(self.average).to_json()
        self.history.probes.append((step, found))
        self._write(step, {"probe": found})
        if self._world.leads and self.history.newest_is_best():
            save_average(self._checkpoints / "best", self.average)

    def _sample(self, step: int) -> None:
        if self._extras.sample is None:
            return
        for name, path in self._extras.sample(step, self.average).items():
            if self._log:
                self._log.video(step, name, path)

    def _save(self, step: int) -> None:
        if self._world.leads:
            weights: dict[str, Tensor] = dict(self._adapter.named_parameters())
            moments = optimiser_tensors(self._optimiser)
            state = Checkpoint(step, weights, self.average, moments, self.history)
            save_checkpoint(self._checkpoints, state, keep=self._config.keep)

    def _write(self, step: int, values: Mapping[str, Any]) -> None:
        if self._log:
            self._log.write(step, values)

    def _here(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: tensor.to(self._world.device) for name, tensor in weights.items()}


def _check_finite(step: int, loss: float, norm: float) -> None:
    if not math.isfinite(loss) or not math.isfinite(norm):
        raise TrainingError(
            f"the loss of step {step} is {loss} and its gradient {norm}",
            remedy="the last checkpoint is kept; lower `lr` or raise `warmup_steps`, then start anew",
        )


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


def _every(step: int, every: int) -> bool:
    return bool(every) and step % every == 0
