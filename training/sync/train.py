"""Train the sync classifier: 21 spans of each video, every picture span against every sound span [pred].

The loss is the symmetric cross-entropy of the 21 x 21 table of phi at temperature 0.1: of all sounds of the same video
the one of the same time is to be chosen, and the other way round. Negatives come from the video itself, so neither
the scene nor the room can help.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator

from shards.errors import BadInput
from shards.synchrony.features import PICTURE_HZ, SPAN_STEPS
from shards.synchrony.net import SyncNet, phi, save_net, spans
from training.sync.data import SyncVideo, batches, some
from training.sync.evaluate import evaluate

TEMPERATURE = 0.1

Progress = Callable[[int, int, float], None]


class SyncTraining(BaseModel):
    """Settings of a training; every default is what the shipped network was trained with."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    films: int = Field(320, ge=0, description="drawn films to learn from")
    imagined: int = Field(6_000, ge=0, description="videos drawn as features to learn from")
    held_out: int = Field(80, ge=1, description="drawn and imagined videos of other seeds, each, to evaluate on")
    duration_s: float = Field(6.0, gt=2.5, description="length of a video; 6 s hold the predecessor's 21 spans")
    shift_s: float = Field(0.2, ge=1 / PICTURE_HZ, description="distance of two spans' starts [pred]")
    steps: int = Field(4_000, ge=1, description="batches")
    batch: int = Field(24, ge=1, description="videos in a batch")
    learning_rate: float = Field(1e-3, gt=0, description="AdamW's, falling to 0 as a cosine")
    seed: int = Field(0, ge=0, description="of the weights, the films, the batches and their augmentation")

    @model_validator(mode="after")
    def _spans_to_choose_from(self) -> "SyncTraining":
        # Of one span the loss is 0 whatever the network says.
        if len(self.starts) < 2:
            raise ValueError(f"{self.duration_s:g} s hold one span only with shift_s={self.shift_s:g}")
        return self

    @property
    def starts(self) -> torch.Tensor:
        """(spans,) first steps of the spans of a video."""
        steps, last = round(self.shift_s * PICTURE_HZ), round(self.duration_s * PICTURE_HZ) - SPAN_STEPS
        return torch.arange(0, last + 1, steps)


def train(
    videos: Sequence[SyncVideo], settings: SyncTraining, *, device: str = "cpu", progress: Progress | None = None
) -> SyncNet:
    """A trained network; on a CPU equal settings give equal weights.

    Raises:
        BadInput: there is no video.
    """
    some(videos)
    torch.manual_seed(settings.seed)
    net = SyncNet().to(device).train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=settings.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
    starts = settings.starts.to(device)
    for step, picture, sound in batches(videos, size=settings.batch, steps=settings.steps, seed=settings.seed):
        table = phi(
            spans(net.pictures(torch.from_numpy(picture).to(device)), starts=starts),
            spans(net.sounds(torch.from_numpy(sound).to(device)), starts=starts),
        )
        loss = in_video_loss(table)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if progress and (step % 25 == 24 or step == settings.steps - 1):
            progress(step + 1, settings.steps, loss.item())
    return net.eval()


def in_video_loss(table: torch.Tensor) -> torch.Tensor:
    """Symmetric cross-entropy of (videos, spans, spans) phi, whose diagonal is right [pred]."""
    right = torch.arange(table.shape[1], device=table.device).expand(table.shape[:2])
    one = torch.nn.functional.cross_entropy(table.transpose(1, 2) / TEMPERATURE, right)
    other = torch.nn.functional.cross_entropy(table / TEMPERATURE, right)
    return (one + other) / 2


def train_to_file(
    videos: Sequence[SyncVideo],
    held_out: Mapping[str, Sequence[SyncVideo]],
    settings: SyncTraining,
    out: Path,
    *,
    command: str,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train, evaluate on videos it has not seen, and write the weights with all of that in their header.

    The weights are written before they are evaluated, too: whatever befalls the evaluation, the training is not lost.

    Raises:
        BadInput: there is no video, or `out` cannot be written; both before anything is trained.
    """
    _refuse_unwritable(out)
    begun = perf_counter()
    net = train(videos, settings, device=device, progress=progress).cpu()
    facts: dict[str, Any] = {
        "command": command,
        "settings": settings.model_dump(mode="json"),
        "videos": len(videos),
        "parameters": sum(one.numel() for one in net.parameters()),
        "device": device,
        "torch": torch.__version__,
        "training_s": round(perf_counter() - begun),
    }
    _save_whole(net, out, facts)
    facts["evaluation"] = {name: evaluate(net, ones) for name, ones in held_out.items()}
    _save_whole(net, out, facts)
    return facts


def _save_whole(net: SyncNet, out: Path, facts: dict[str, Any]) -> None:
    """Write aside and rename, so that weights which are there already are replaced whole or not at all."""
    aside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        save_net(net, aside, facts)
        aside.replace(out)
    finally:
        aside.unlink(missing_ok=True)


def _refuse_unwritable(out: Path) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{out} cannot be written: {error.strerror}", remedy="name another file with --out") from error
    if out.is_dir() or not os.access(out.parent, os.W_OK):
        raise BadInput(f"{out} cannot be written", remedy="name a file in a folder of yours with --out")
