"""Encoded windows of clips: what one is, sets of them, and whole videos held out of a set."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.data.entries import Entries


@dataclass(frozen=True, slots=True)
class Example:
    """One encoded window.

    Attributes:
        latents: (channels, latents, h, w), the mean of what the codec says.
        spread: its standard deviation, or None where the codec is exact.
        features: "encoder/layer" -> (time, tokens, width).
        text, no_text: (tokens, width) of the caption and of the empty one.
        image: what else the backbone must see of the given image; see `Backbone.encode_condition`.
    """

    latents: Tensor
    spread: Tensor | None
    features: dict[str, Tensor]
    text: Tensor
    no_text: Tensor
    image: dict[str, Tensor] = field(default_factory=dict)


class Examples(Protocol):
    """What batches are drawn from."""

    def __len__(self) -> int: ...

    def example(self, number: int) -> Example:
        """The tensors of entry `number`, float32."""
        ...


class ClipSet(Protocol):
    """Windows that can be had encoded, from a cache or live; `digest` names what they are made from and how."""

    @property
    def digest(self) -> str:
        """Names all that decides the tensors."""
        ...

    @property
    def entries(self) -> Entries:
        """The windows."""
        ...

    def __len__(self) -> int: ...

    def example(self, number: int) -> Example:
        """The tensors of entry `number`, float32."""
        ...

    def only(self, rows: NDArray[np.bool_]) -> "ClipSet":
        """The same with some of its entries."""
        ...


@dataclass(frozen=True)
class Joined:
    """Two sets one behind the other, to draw from."""

    one: ClipSet
    other: ClipSet

    def __len__(self) -> int:
        return len(self.one) + len(self.other)

    def example(self, number: int) -> Example:
        """The tensors of entry `number`."""
        return self.one.example(number) if number < len(self.one) else self.other.example(number - len(self.one))


def split(clips: ClipSet, held_out: float) -> tuple[ClipSet, ClipSet]:
    """(to train on, held out): whole source videos are held out, so no window has a twin on the other side.

    With one video there is nothing to hold out, and the second set is the first.
    """
    videos = shuffled_names(clips.entries.video_ids())
    count = min(max(round(held_out * len(videos)), 1), len(videos) - 1) if held_out else 0
    if not count:
        return clips, clips
    held = clips.entries.of_videos(frozenset(videos[:count]))
    return clips.only(~held), clips.only(held)


def share_of(clips: ClipSet, share: float, *, seed: int) -> ClipSet:
    """A share of the source videos, at least one; of one seed, a smaller share lies within a larger one."""
    if share >= 1:
        return clips
    videos = shuffled_names(clips.entries.video_ids(), seed=seed)
    return clips.only(clips.entries.of_videos(frozenset(videos[: max(round(share * len(videos)), 1)])))


def shuffled_names(names: Iterable[str], *, seed: int = 0) -> list[str]:
    """Names in an order that depends on nothing but themselves and the seed, and not on the alphabet."""
    salt = f"{seed}/" if seed else ""
    return sorted(names, key=lambda name: hashlib.sha256(f"{salt}{name}".encode()).digest())
