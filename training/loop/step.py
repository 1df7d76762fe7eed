"""One step: the loss of a batch in parts, the mean gradient over ranks, clipped, AdamW.

AdamW at a constant rate after a warm-up, gradient norm clipped at 1.0, as the predecessor [pred].
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from shards.errors import TrainingError
from training.adapter.layer import AudioAdapter
from training.backbones.base import Backbone
from training.data.batches import Batch
from training.loop.objective import noise_loss
from training.parallel import World
from training.settings.config import TrainConfig


@dataclass(slots=True)
class Pending:
    """A step whose numbers still lie on the device.

    Attributes:
        step: its number, from 1.
        losses: (clips,) of this rank.
        times: (clips,) in [0, 1], on the CPU.
        norm: of the gradient, before it was clipped.
        rate: learning rate.
        clips: of all ranks.
        waited_s: for its batch.
    """

    step: int
    losses: Tensor
    times: Tensor
    norm: Tensor
    rate: float
    clips: int
    waited_s: float = 0.0


def take_step(
    adapter: AudioAdapter,
    backbone: Backbone,
    batch: Batch,
    config: TrainConfig,
    optimiser: torch.optim.Optimizer,
    *,
    step: int,
    world: World,
) -> Pending:
    """One step on this rank's part of a batch; the adapter must be attached, and nothing is waited for.

    Raises:
        TrainingError: the device has no memory left.
    """
    optimiser.zero_grad(set_to_none=True)
    size = config.micro_batch or len(batch)
    losses = []
    try:
        for start in range(0, len(batch), size):
            part = batch.part(start, start + size).to(world.device)
            loss = step_loss(adapter, backbone, part, config, share=len(part) / len(batch))
            losses.append(loss.detach())
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"the device has no memory left at step {step + 1}",
            remedy="the last checkpoint is kept; go on with --set micro_batch=1, or checkpointing=selective",
        ) from error
    weights = list(adapter.parameters())
    world.average(weight.grad for weight in weights if weight.grad is not None)
    norm = torch.nn.utils.clip_grad_norm_(weights, config.clip_norm)
    rate = learning_rate(step, config)
    for group in optimiser.param_groups:
        group["lr"] = rate * group["share"]
    optimiser.step()
    return Pending(step + 1, torch.cat(losses), batch.time, norm.detach(), rate, len(batch) * world.size)


def step_loss(
    adapter: AudioAdapter, backbone: Backbone, part: Batch, config: TrainConfig, *, share: float = 1.0
) -> Tensor:
    """Forward and backward of some clips, `share` of a batch; returns (clips,) their losses."""
    with adapter.conditioned(part.features, audio_mask=part.audio_mask, image_mask=part.image_mask):
        loss = noise_loss(backbone, part, motion_weight=config.motion_weight)
        (loss.mean() * share).backward()  # type: ignore[no-untyped-call]
    return loss


def make_optimiser(adapter: AudioAdapter, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW on all of the adapter; layers that start at zero at `out_lr` times the rate (as TalkVerse, x10) [ours]."""
    outs = [site.out.weight for site in adapter.site_attentions()]
    others = [weight for weight in adapter.parameters() if not any(weight is out for out in outs)]
    groups = [{"params": others, "share": 1.0}, {"params": outs, "share": config.out_lr}]
    fused = all(weight.is_cuda for weight in others)
    return torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.99), weight_decay=config.weight_decay, fused=fused)


def learning_rate(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then constant, or a cosine down to zero at the last step."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    if not config.cosine:
        return config.lr
    share = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
    return config.lr * 0.5 * (1 + math.cos(math.pi * share))
