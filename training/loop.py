"""The training loop: AdamW on the adapter, clipped gradients, a moving average, checkpoints that can be gone on from.

AdamW at a constant rate after a warm-up, gradient norm clipped at 1.0, as the predecessor [pred]; the moving average is
ours, and stage two and sampling use it [ours].
"""

import json
import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from shards.errors import TrainingError
from training.adapter import AudioAdapter
from training.backbones.base import Backbone
from training.config import TrainConfig
from training.data import ClipSet, batch_at, moved
from training.ema import ema_decay, ema_update
from training.objective import flow_loss
from training.progress import Progress
from training.state import (
    Checkpoint,
    newest_checkpoint,
    optimiser_tensors,
    restore_optimiser,
    save_checkpoint,
)

METRICS = "metrics.jsonl"


@dataclass(frozen=True, slots=True)
class LoopResult:
    """Where the loop ended.

    Attributes:
        average: the averaged weights by name.
        losses: of every step of the run, those before a resume included.
        resumed_from: the step it went on from; 0 for a fresh run.
        stopped: whether it was asked to stop (SIGTERM) before its last step.
    """

    average: dict[str, Tensor]
    losses: list[float]
    resumed_from: int
    stopped: bool


def run_loop(
    adapter: AudioAdapter,
    backbone: Backbone,
    clips: ClipSet,
    config: TrainConfig,
    *,
    folder: Path,
    device: str = "cpu",
    progress: Progress | None = None,
) -> LoopResult:
    """Train until `config.steps`, from the newest checkpoint in `folder` where there is one.

    Raises:
        TrainingError: the loss is no longer a number; the last good checkpoint stays.
    """
    optimiser = _optimiser(adapter, config)
    average = {name: weight.detach().clone() for name, weight in adapter.named_parameters()}
    losses: list[float] = []
    if found := newest_checkpoint(folder / "checkpoints"):
        adapter.load_state_dict(found.adapter)
        average = {name: tensor.to(device) for name, tensor in found.average.items()}
        restore_optimiser(optimiser, found.optimiser)
        losses = list(found.losses)
    first = len(losses)
    _trim_metrics(folder / METRICS, first)
    with adapter.attached(backbone.modules_by_site()), stop_requests() as stop:
        for step in range(first, config.steps):
            losses.append(_step(adapter, backbone, clips, config, optimiser, step=step, device=device))
            ema_update(average, adapter.named_parameters(), decay=ema_decay(step, config.ema))
            _note(folder / METRICS, step + 1, losses[-1], learning_rate(step, config))
            if progress:
                progress(step + 1, config.steps, f"loss {losses[-1]:.3f}")
            done, stopping = step + 1 == config.steps, stop.is_set()
            if done or stopping or (step + 1) % config.save_every == 0:
                state = Checkpoint(step + 1, _weights(adapter), average, optimiser_tensors(optimiser), losses)
                save_checkpoint(folder / "checkpoints", state, keep=config.keep)
            if stopping and not done:
                return LoopResult(average, losses, first, stopped=True)
    return LoopResult(average, losses, first, stopped=False)


def _weights(adapter: AudioAdapter) -> dict[str, Tensor]:
    return dict(adapter.named_parameters())


def _optimiser(adapter: AudioAdapter, config: TrainConfig) -> torch.optim.Optimizer:
    return torch.optim.AdamW(adapter.parameters(), lr=config.lr, betas=(0.9, 0.99), weight_decay=config.weight_decay)


def _step(
    adapter: AudioAdapter,
    backbone: Backbone,
    clips: ClipSet,
    config: TrainConfig,
    optimiser: torch.optim.Optimizer,
    *,
    step: int,
    device: str,
) -> float:
    batch = moved(
        batch_at(
            clips,
            step,
            size=config.batch,
            seed=config.seed,
            audio_dropout=config.audio_dropout,
            text_dropout=config.text_dropout,
            time_shift=backbone.time_shift,
            purpose=f"stage-{int(config.stage)}",
        ),
        device,
    )
    with adapter.hearing(batch.features, heard=batch.heard):
        loss = flow_loss(backbone, batch, motion_weight=config.motion_weight).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
    value = float(loss.detach())
    norm = float(torch.nn.utils.clip_grad_norm_(adapter.parameters(), config.clip_norm))
    if not math.isfinite(value) or not math.isfinite(norm):
        raise TrainingError(
            f"the loss of step {step + 1} is {value} and its gradient {norm}",
            remedy="the last checkpoint is kept; lower `lr` or raise `warmup_steps`, then start anew",
        )
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(step, config)
    optimiser.step()
    return value


def learning_rate(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then constant, or a cosine down to zero at the last step."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    if not config.cosine:
        return config.lr
    share = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
    return config.lr * 0.5 * (1 + math.cos(math.pi * share))


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


def _note(path: Path, step: int, loss: float, rate: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": step, "loss": loss, "lr": rate}) + "\n")


def _trim_metrics(path: Path, steps: int) -> None:
    """Drop lines of steps that were taken after the checkpoint and will be taken again."""
    if path.is_file():
        kept = path.read_text(encoding="utf-8").splitlines(keepends=True)[:steps]
        path.write_text("".join(kept), encoding="utf-8")
