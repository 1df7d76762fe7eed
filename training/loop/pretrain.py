"""Train the tiny backbone without sound, once per set of clips; afterwards it is frozen like any other.

It stands in for the web-scale pretraining of a real generator: it learns what moves and how, but has no way to know
when [ours].
"""

import hashlib
import json
import math
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shards.files import write_atomic
from training.data.batches import Draw, batch_of
from training.data.clips import ClipSet
from training.data.plan import Shuffled
from training.loop.ema import ema_decay, ema_update
from training.loop.objective import noise_loss
from training.progress import Progress
from training.settings.config import PretrainConfig

NOTES = "pretraining.json"
_TEXT_DROPOUT = 0.1


def pretrained(
    backbone: Any, clips: ClipSet, *, store: Path, config: PretrainConfig, progress: Progress | None
) -> Path:
    """The folder of a backbone trained on these clips with this config; trained now if it is not there.

    The folder appears whole or not at all. Its name is a digest of clips, config and architecture.
    """
    made_from = {
        "clips": clips.digest,
        "videos": clips.entries.video_ids(),
        "config": config.model_dump(),
        "architecture": dict(backbone.network.config),
    }
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True, default=str).encode()).hexdigest()
    folder = store / f"{backbone.name}-{digest[:16]}"
    if (folder / NOTES).is_file():
        return folder
    losses = _train(backbone, clips, config, progress)
    aside = store / f".{folder.name}.part"
    shutil.rmtree(aside, ignore_errors=True)
    backbone.network.save_pretrained(aside)
    notes = {"clips": clips.digest, "config": config.model_dump(), "losses": losses}
    write_atomic(aside / NOTES, json.dumps(notes, indent=1).encode())
    aside.rename(folder)
    return folder


def _train(backbone: Any, clips: ClipSet, config: PretrainConfig, progress: Progress | None) -> list[float]:
    """Train in place; leaves the averaged weights in the backbone and returns the loss of every step."""
    transformer = backbone.network.requires_grad_(True).train()
    optimiser = torch.optim.AdamW(transformer.parameters(), lr=config.lr, betas=(0.9, 0.98), weight_decay=0.01)
    average: dict[str, Tensor] = {n: w.detach().clone() for n, w in transformer.named_parameters()}
    draw = Draw(
        plan=Shuffled(len(clips), config.seed, "pretrain/order"),
        seed=config.seed,
        purpose="pretrain",
        time_of=backbone.time_of,
        text_tokens=backbone.text_tokens,
        no_text=_TEXT_DROPOUT,
    )
    losses: list[float] = []
    for step in range(config.steps):
        batch = batch_of(clips, draw, range(step * config.batch, (step + 1) * config.batch))
        loss = noise_loss(backbone, batch).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(transformer.parameters(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = config.lr * _rate(step, config)
        optimiser.step()
        ema_update(average, transformer.named_parameters(), decay=ema_decay(step, config.ema))
        losses.append(float(loss.detach()))
        if progress:
            progress(step + 1, config.steps, f"loss {losses[-1]:.3f}")
    transformer.load_state_dict(average, strict=False)
    transformer.requires_grad_(False).eval()
    return losses


def _rate(step: int, config: PretrainConfig) -> float:
    """Linear warm-up, then a cosine down to a tenth."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    share = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
    return 0.1 + 0.45 * (1 + math.cos(math.pi * share))
