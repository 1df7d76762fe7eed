"""A video of any length from a backbone that makes short ones: segments that go on from one another.

    frames   0 .. . . . . p . . . N-1                         p: where the next one begins
                          0 .. . . . . p . . . N-1
    carried               ^^^^^^^^^^^

Segment k + 1 begins with frame p of segment k as its given image. The frames behind p, which both have, are encoded
once more and carried over: at each step of the walk the new segment's first latent frames are mixed with them, noised
as far as the walk is, by weights that fall from 1 to 0 (MultiDiffusion, Bar-Tal et al. 2023, along latent time; known
frames noised anew, as RePaint, Lugmayr et al. 2022). So motion goes on, and what is heard there is heard by both. Last,
the decoded frames of both are crossfaded by the same weights, which hides what encoding once more costs
(docs/decisions/0024-long-sound.md).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shards.errors import BadInput
from training.timing import VideoTiming

_OVERLAP_SHARE = 4
"""A quarter of the latent frames are carried: half a second of Wan's two [ours]."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the whole video.

    Attributes:
        number: its place.
        start: its first frame in the whole.
        kept: how many of its frames are final once it is made; the others are crossfaded with the next one's.
    """

    number: int
    start: int
    kept: int


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """How a video of `frames` frames is laid out in segments of `video`'s length."""

    video: VideoTiming
    frames: int

    @property
    def carried_latents(self) -> int:
        """Latent frames behind the given image that a segment takes over from the one before."""
        return max(min(max(self.video.latents // _OVERLAP_SHARE, 1), self.video.latents - 2), 0)

    @property
    def carried_frames(self) -> int:
        """Frames that two neighbours share, the given image among them."""
        return 1 + self.carried_latents * self.video.ratio

    @property
    def stride(self) -> int:
        """Frames from one segment's start to the next one's."""
        return self.video.frames - self.carried_frames

    def segments(self) -> list[Segment]:
        """All of them, in order; the last one's surplus is dropped.

        Raises:
            BadInput: the backbone makes single pictures, from which nothing goes on.
        """
        beyond = max(self.frames - self.video.frames, 0)
        if beyond and self.stride < 1:
            raise BadInput(
                f"videos of {self.video.frames} frames cannot go on from one another",
                remedy="give a shorter sound, or train with more frames",
            )
        count = 1 + (-(-beyond // self.stride) if beyond else 0)
        starts = [number * self.stride for number in range(count)]
        last = count - 1
        return [
            Segment(number, start, self.frames - start if number == last else self.stride)
            for number, start in enumerate(starts)
        ]

    def joints(self) -> list[range]:
        """For each joint the frames at which the picture passes from one segment to the next."""
        return [
            range(one.start + 1, min(one.start + self.carried_frames + 1, self.frames)) for one in self.segments()[1:]
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """What a segment takes over: clean latents (clips, channels, k, h, w), and weights (k,), 1 where they stay."""

    latents: Tensor
    weights: Tensor

    def mixed(self, latents: Tensor, known: Tensor) -> Tensor:
        """`latents` whose first frames are mixed with `known` ones of the same noise."""
        weights = self.weights.to(latents).view(1, 1, -1, 1, 1)
        head = weights * known.to(latents) + (1 - weights) * latents[:, :, : known.shape[2]]
        return torch.cat([head, latents[:, :, known.shape[2] :]], dim=2)


def falling(count: int) -> NDArray[np.float32]:
    """(count,) weights from 1 towards 0, which would come next."""
    return (1 - np.arange(count) / count).astype(np.float32)


def crossfaded(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Frames (frames, h, w, 3) that both segments have, passing from one to the other."""
    weights = falling(len(before))[:, None, None, None]
    mixed: NDArray[np.uint8] = np.rint(weights * before + (1 - weights) * after).astype(np.uint8)
    return mixed


class MotionMeter:
    """Measures how much the picture changes from frame to frame, while blocks of frames pass by."""

    def __init__(self) -> None:
        self._before: NDArray[np.uint8] | None = None
        self._changes: list[float] = []

    def through(self, blocks: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        """The same blocks."""
        for block in blocks:
            whole = block if self._before is None else np.concatenate([self._before[None], block])
            steps = pairwise(whole)
            self._changes += [float(np.abs(b.astype(np.int16) - a).mean()) for a, b in steps]
            self._before = block[-1].copy()
            yield block

    @property
    def changes(self) -> list[float]:
        """Mean absolute difference of each frame to the one before it, in grey levels; 0 for the first."""
        return [0.0, *self._changes]


def joint_jumps(changes: Sequence[float], joints: Sequence[range]) -> list[float]:
    """For each joint the largest change in it, in multiples of the median elsewhere.

    A picture that stands still elsewhere counts as changing by one grey level.
    """
    inside = {frame for joint in joints for frame in joint}
    elsewhere = [change for frame, change in enumerate(changes) if frame and frame not in inside]
    usual = max(float(np.median(elsewhere)) if elsewhere else 0.0, 1.0)
    return [max(changes[frame] for frame in joint) / usual for joint in joints if len(joint)]
