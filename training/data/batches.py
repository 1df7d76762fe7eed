"""Batches made of encoded clips; what a batch holds depends on (seed, sample) alone [ours]."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from training.data.clips import Example, Examples
from training.data.plan import Plan
from training.seeds import numpy_generator, torch_generator


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips ready for one step; the first axis of everything is the clip.

    Attributes:
        latents, noise: (clips, channels, latents, h, w).
        time: (clips,) in (0, 1), 0 data, 1 noise.
        features: "encoder/layer" -> (clips, time, tokens, width).
        text: (clips, tokens, width); the empty caption where words are dropped.
        audio_mask: (clips,) bool, False where sound is dropped.
        image_mask: (clips,) bool, False where the image is dropped: the first latent frame is noise like the others.
        numbers: which entries these are.
        image: what else the backbone sees of the given image, by name, the clip first.
    """

    latents: Tensor
    noise: Tensor
    time: Tensor
    features: dict[str, Tensor]
    text: Tensor
    audio_mask: Tensor
    image_mask: Tensor
    numbers: tuple[int, ...]
    image: dict[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers)

    def to(self, device: str) -> "Batch":
        """The batch on another device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> "Batch":
        """The batch in memory that a GPU reads by itself."""
        return self._each(Tensor.pin_memory)

    def part(self, first: int, last: int) -> "Batch":
        """Some of its clips."""
        return replace(self._each(lambda tensor: tensor[first:last]), numbers=self.numbers[first:last])

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        return replace(
            self,
            latents=change(self.latents),
            noise=change(self.noise),
            time=change(self.time),
            features={key: change(value) for key, value in self.features.items()},
            text=change(self.text),
            audio_mask=change(self.audio_mask),
            image_mask=change(self.image_mask),
            image={key: change(value) for key, value in self.image.items()},
        )


@dataclass(frozen=True)
class Draw:
    """How samples are drawn.

    Attributes:
        plan: which clip each sample is.
        seed, purpose: what all randomness follows from, together with the sample's number.
        time_of: the training time that a standard normal number stands for; the backbone's.
        text_tokens: rows of words in a batch.
        no_audio, no_text, no_image: how often each is dropped, independently.
        from_spread: draw latents from what the codec says instead of taking its mean.
    """

    plan: Plan
    seed: int
    purpose: str
    time_of: Callable[[float], float]
    text_tokens: int
    no_audio: float = 0.0
    no_text: float = 0.0
    no_image: float = 0.0
    from_spread: bool = False


def batch_of(clips: Examples, draw: Draw, samples: Sequence[int]) -> Batch:
    """The batch of some samples of a run."""
    numbers = tuple(draw.plan.number(n) for n in samples)
    examples = [clips.example(number) for number in numbers]
    dropped = [numpy_generator(draw.seed, f"{draw.purpose}/dropout", n).uniform(size=3) for n in samples]
    normals = [numpy_generator(draw.seed, f"{draw.purpose}/time", n).normal() for n in samples]
    texts = [
        one.no_text if chance[1] < draw.no_text else one.text for one, chance in zip(examples, dropped, strict=True)
    ]
    return Batch(
        latents=torch.stack([_latents(one, draw, n) for one, n in zip(examples, samples, strict=True)]),
        noise=torch.stack([_normal(examples[0].latents, draw, "noise", n) for n in samples]),
        time=torch.tensor([draw.time_of(normal) for normal in normals]),
        features=stacked([one.features for one in examples]),
        text=torch.stack([padded(text, draw.text_tokens) for text in texts]),
        audio_mask=torch.tensor([bool(chance[0] >= draw.no_audio) for chance in dropped]),
        image_mask=torch.tensor([bool(chance[2] >= draw.no_image) for chance in dropped]),
        numbers=numbers,
        image=stacked([one.image for one in examples]),
    )


def _latents(example: Example, draw: Draw, sample: int) -> Tensor:
    if not draw.from_spread or example.spread is None:
        return example.latents
    return example.latents + example.spread * _normal(example.latents, draw, "latents", sample)


def _normal(like: Tensor, draw: Draw, what: str, sample: int) -> Tensor:
    return torch.randn(like.shape, generator=torch_generator(draw.seed, f"{draw.purpose}/{what}", sample))


def padded(text: Tensor, tokens: int) -> Tensor:
    """(tokens, width): the words, then zeros."""
    return torch.nn.functional.pad(text, (0, 0, 0, tokens - len(text)))


def stacked(features: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Features of several clips side by side."""
    return {key: torch.stack([one[key] for one in features]) for key in features[0]}
