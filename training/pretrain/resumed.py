"""One loop for both networks: AdamW, a cosine rate, averaged weights, checkpoints; it goes on where it was stopped."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from training.loop.checkpoint import (
    Checkpoint,
    History,
    newest_checkpoint,
    optimiser_tensors,
    restore_optimiser,
    save_checkpoint,
)
from training.loop.ema import ema_decay, ema_update
from training.progress import Progress

_BETAS, _WEIGHT_DECAY, _CLIP_NORM = (0.9, 0.98), 0.01, 1.0
_LAST_RATE = 0.03
_KEPT = 1
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast: a linear warm-up, then a cosine down to a few hundredths of `lr`."""

    steps: int
    lr: float
    warmup_steps: int
    ema: float
    save_every: int

    def rate(self, step: int) -> float:
        """The rate of a step."""
        warm = min(1.0, (step + 1) / max(self.warmup_steps, 1))
        fallen = _LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return self.lr * warm * fallen


def fit(
    network: nn.Module,
    loss_of: Callable[[int], Tensor],
    schedule: Schedule,
    *,
    checkpoints: Path,
    progress: Progress | None = None,
) -> list[float]:
    """Train in place what requires a gradient, and leave the averaged weights in `network`, frozen.

    Args:
        network: what is trained.
        loss_of: the loss of a step, which must follow from the step's number and the weights alone.
        schedule: see there.
        checkpoints: where checkpoints are kept, and looked for.
        progress: told the loss.

    Returns:
        (steps,) the loss of every step, those before a stop too.
    """
    network.train()
    learning = {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
    optimiser = torch.optim.AdamW(learning.values(), lr=schedule.lr, betas=_BETAS, weight_decay=_WEIGHT_DECAY)
    average = {name: weight.detach().clone() for name, weight in learning.items()}
    history, first = History(), 0
    if (kept := newest_checkpoint(checkpoints)) is not None:
        network.load_state_dict(kept.adapter, strict=False)
        restore_optimiser(optimiser, kept.optimiser)
        average = {name: tensor.to(average[name].device) for name, tensor in kept.average.items()}
        history, first = kept.history, kept.step
    for step in range(first, schedule.steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate(step)
        loss = loss_of(step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learning.values(), _CLIP_NORM)
        optimiser.step()
        ema_update(average, learning.items(), decay=ema_decay(step, schedule.ema))
        history.losses.append(float(loss.detach()))
        if (step + 1) % schedule.save_every == 0:
            weights: dict[str, Tensor] = dict(learning)
            now = Checkpoint(step + 1, weights, average, optimiser_tensors(optimiser), history)
            save_checkpoint(checkpoints, now, keep=_KEPT)
        if progress:
            recent = history.losses[-_SHOWN:]
            progress(step + 1, schedule.steps, f"loss {sum(recent) / len(recent):.4f}")
    network.load_state_dict(average, strict=False)
    network.requires_grad_(False).eval()
    return history.losses
