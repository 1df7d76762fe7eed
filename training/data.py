"""Cached clips and the batches drawn from them; what a batch holds depends on (seed, counter) alone [ours]."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.seeds import numpy_generator, shuffled, torch_generator


@dataclass(frozen=True, slots=True)
class Entry:
    """One cached window of a clip: where it comes from and in which shard of the cache it lies."""

    key: str
    clip: str
    video_id: str
    caption: str
    start_us: int
    shard: str


@dataclass(frozen=True, slots=True)
class Example:
    """One cached window.

    Attributes:
        latents: (channels, latents, h, w).
        features: "encoder/layer" -> (time, tokens, width).
        text, no_text: (tokens, width) of the caption and of the empty one.
    """

    latents: Tensor
    features: dict[str, Tensor]
    text: Tensor
    no_text: Tensor


@dataclass(frozen=True)
class ClipSet:
    """Cached windows on disk; `digest` names what they were made from and how."""

    folder: Path
    digest: str
    entries: tuple[Entry, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def example(self, number: int) -> Example:
        """The tensors of entry `number`, float32."""
        from safetensors import safe_open

        entry = self.entries[number]
        with safe_open(self.folder / entry.shard, framework="pt") as shard:
            names = [name for name in shard.keys() if name.startswith(f"{entry.key}|")]  # noqa: SIM118
            tensors = {name.split("|", 1)[1]: shard.get_tensor(name).float() for name in names}
            no_text = shard.get_tensor("no_text").float()
        return Example(
            tensors.pop("latents"), {k: v for k, v in tensors.items() if k != "text"}, tensors["text"], no_text
        )

    def split(self, held_out: float) -> tuple["ClipSet", "ClipSet"]:
        """(to train on, held out): whole source videos are held out, so no window has a twin on the other side.

        With one video there is nothing to hold out, and the second set is the first.
        """
        videos = shuffled_names({entry.video_id for entry in self.entries})
        count = min(max(round(held_out * len(videos)), 1), len(videos) - 1) if held_out else 0
        if not count:
            return self, self
        kept = set(videos[count:])
        return (
            replace(self, entries=tuple(one for one in self.entries if one.video_id in kept)),
            replace(self, entries=tuple(one for one in self.entries if one.video_id not in kept)),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips ready for one step; the first axis of everything is the clip.

    Attributes:
        latents, noise: (clips, channels, latents, h, w).
        time: (clips,) in (0, 1), share of noise.
        features: "encoder/layer" -> (clips, time, tokens, width).
        text: (clips, tokens, width); the empty caption where words are dropped.
        heard: (clips,) bool, False where sound is dropped.
        numbers: which entries these are.
    """

    latents: Tensor
    noise: Tensor
    time: Tensor
    features: dict[str, Tensor]
    text: Tensor
    heard: Tensor
    numbers: tuple[int, ...]


def batch_at(
    clips: ClipSet,
    step: int,
    *,
    size: int,
    seed: int,
    audio_dropout: float = 0.0,
    text_dropout: float = 0.0,
    time_shift: float = 1.0,
    purpose: str = "train",
) -> Batch:
    """The batch of a step: sample n = step * size + i follows the shuffled order of its epoch."""
    counters = range(step * size, (step + 1) * size)
    numbers = [
        shuffled(len(clips), seed=seed, purpose=f"{purpose}/order", epoch=n // len(clips))[n % len(clips)]
        for n in counters
    ]
    examples = [clips.example(number) for number in numbers]
    dropped = [numpy_generator(seed, f"{purpose}/dropout", n).uniform(size=2) for n in counters]
    shape = examples[0].latents.shape
    return Batch(
        latents=torch.stack([one.latents for one in examples]),
        noise=torch.stack(
            [torch.randn(shape, generator=torch_generator(seed, f"{purpose}/noise", n)) for n in counters]
        ),
        time=torch.tensor(
            [flow_time(numpy_generator(seed, f"{purpose}/time", n).normal(), shift=time_shift) for n in counters]
        ),
        features=stacked([one.features for one in examples]),
        text=torch.stack(
            [one.no_text if draw[1] < text_dropout else one.text for one, draw in zip(examples, dropped, strict=True)]
        ),
        heard=torch.tensor([bool(draw[0] >= audio_dropout) for draw in dropped]),
        numbers=tuple(numbers),
    )


def flow_time(normal: float, *, shift: float) -> float:
    """Time of a sample: the logistic of a standard normal number, shifted (Esser et al. 2024, logit-normal)."""
    return shifted_time(1 / (1 + math.exp(-normal)), shift=shift)


def shifted_time(time: float, *, shift: float) -> float:
    """s t / (1 + (s - 1) t): 0 and 1 stay, times between move towards noise where s > 1."""
    return shift * time / (1 + (shift - 1) * time)


def stacked(features: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Features of several clips side by side."""
    return {key: torch.stack([one[key] for one in features]) for key in features[0]}


def moved(batch: Batch, device: str) -> Batch:
    """The batch on another device."""
    changes: dict[str, Any] = {
        name: getattr(batch, name).to(device) for name in ("latents", "noise", "time", "text", "heard")
    }
    changes["features"] = {key: value.to(device) for key, value in batch.features.items()}
    return replace(batch, **changes)


def shuffled_names(names: set[str]) -> list[str]:
    """Names in an order that depends on nothing but themselves, and not on the alphabet."""
    import hashlib

    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
