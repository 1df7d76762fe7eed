"""Encoded windows of clips: what one is, sets of them, and whole videos held out of a set."""

import hashlib
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Entry:
    """One window of a clip.

    Attributes:
        key: its name in the cache.
        clip, number: the clip's key, and its row in the snapshot's index.
        video_id, caption, label: what the snapshot says of the clip.
        start_us: where the window begins in the clip.
    """

    key: str
    clip: str
    number: int
    video_id: str
    caption: str
    label: str
    start_us: int


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


class ClipSet(Protocol):
    """Windows that can be had encoded, from a cache or live; `digest` names what they are made from and how."""

    @property
    def digest(self) -> str:
        """Names all that decides the tensors."""
        ...

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The windows."""
        ...

    def __len__(self) -> int: ...

    def example(self, number: int) -> Example:
        """The tensors of entry `number`, float32."""
        ...

    def only(self, entries: tuple[Entry, ...]) -> "ClipSet":
        """The same with some of its entries."""
        ...


@dataclass(frozen=True)
class Joined:
    """Two sets one behind the other."""

    one: ClipSet
    other: ClipSet

    @property
    def digest(self) -> str:
        """Both digests."""
        return hashlib.sha256(f"{self.one.digest} {self.other.digest}".encode()).hexdigest()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries of both."""
        return self.one.entries + self.other.entries

    def __len__(self) -> int:
        return len(self.one) + len(self.other)

    def example(self, number: int) -> Example:
        """The tensors of entry `number`."""
        return self.one.example(number) if number < len(self.one) else self.other.example(number - len(self.one))

    def only(self, entries: tuple[Entry, ...]) -> "Joined":
        """The same with some of its entries."""
        kept = set(entries)
        one, other = (tuple(entry for entry in half.entries if entry in kept) for half in (self.one, self.other))
        return Joined(self.one.only(one), self.other.only(other))


def split(clips: ClipSet, held_out: float) -> tuple[ClipSet, ClipSet]:
    """(to train on, held out): whole source videos are held out, so no window has a twin on the other side.

    With one video there is nothing to hold out, and the second set is the first.
    """
    videos = shuffled_names({entry.video_id for entry in clips.entries})
    count = min(max(round(held_out * len(videos)), 1), len(videos) - 1) if held_out else 0
    if not count:
        return clips, clips
    kept = set(videos[count:])
    return (
        clips.only(tuple(one for one in clips.entries if one.video_id in kept)),
        clips.only(tuple(one for one in clips.entries if one.video_id not in kept)),
    )


def shuffled_names(names: set[str]) -> list[str]:
    """Names in an order that depends on nothing but themselves, and not on the alphabet."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
