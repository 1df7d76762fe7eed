"""The only place that knows time: which instant a frame, a latent frame or a sound column stands for.

Frame f of a video at v frames a second is shown from f/v to (f+1)/v and stands for its centre (f + 1/2)/v. A codec that
compresses time by R, causally, keeps frame 0 as latent 0 and folds frames (j-1)R+1 .. jR into latent j. Column i of an
audio encoder covers [i hop, i hop + width] and stands for its centre. Latent j may listen to the columns whose centre
lies within `radius_s` of its span: the window attention of the paper ([t_k - r, t_k + r], overlapping) [paper], with r
in seconds so that it means the same for every rate and encoder [ours].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shards.errors import BadInput

Seconds = NDArray[np.float64]
_SLACK_S = 1e-9


@dataclass(frozen=True, slots=True)
class VideoTiming:
    """The clock of a generated video.

    Attributes:
        frames: frames of one video; `frames - 1` must be a multiple of `ratio`.
        fps: frames a second.
        ratio: frames per latent frame, 1 (no temporal compression) or 4 (a causal video VAE).
    """

    frames: int
    fps: int
    ratio: int = 1

    def __post_init__(self) -> None:
        if self.frames < 1 or self.fps < 1 or self.ratio not in (1, 4) or (self.frames - 1) % self.ratio:
            raise BadInput(
                f"{self.frames} frames at {self.fps} fps cannot be compressed {self.ratio}:1 in time",
                remedy="choose ratio 1 or 4 and frames = 1 + a multiple of it",
            )

    @property
    def duration_s(self) -> float:
        """Length of the video."""
        return self.frames / self.fps

    @property
    def latents(self) -> int:
        """Number of latent frames."""
        return 1 + (self.frames - 1) // self.ratio

    def frame_centres_s(self) -> Seconds:
        """(frames,) the instant that each frame stands for."""
        return (np.arange(self.frames) + 0.5) / self.fps

    def latent_centres_s(self) -> Seconds:
        """(latents,) the middle of the span of frames folded into each latent frame."""
        middles = (np.arange(self.latents) - 1) * self.ratio + 1 + self.ratio / 2
        middles[0] = 0.5
        centres: Seconds = middles / self.fps
        return centres

    def latent_half_spans_s(self) -> Seconds:
        """(latents,) half the length of each latent frame's span; the first latent is one frame."""
        halves = np.full(self.latents, self.ratio / 2 / self.fps)
        halves[0] = 0.5 / self.fps
        return halves


@dataclass(frozen=True, slots=True)
class AudioTiming:
    """The clock of an audio encoder: column i covers [i hop_s, i hop_s + width_s]."""

    columns: int
    hop_s: float
    width_s: float

    def centres_s(self) -> Seconds:
        """(columns,) the instant that each column stands for."""
        centres: Seconds = np.arange(self.columns, dtype=np.float64) * self.hop_s + self.width_s / 2
        return centres


@dataclass(frozen=True, slots=True)
class WindowTable:
    """Which columns each latent frame listens to.

    Attributes:
        index: (latents, places) int64 column numbers, ascending; missing places hold `null`.
        offset_s: (latents, places) the column's centre minus the latent frame's centre; 0 where the place is null.
        null: the index that stands for "nothing there", one past the last column.
    """

    index: NDArray[np.int64]
    offset_s: Seconds
    null: int


def window_table(video: VideoTiming, audio: AudioTiming, *, radius_s: float) -> WindowTable:
    """Every latent frame's window, padded to the widest one so that shapes are static and no mask is needed.

    Column i belongs to latent j when |centre_i - centre_j| <= radius_s + half_span_j.

    Raises:
        BadInput: the radius is negative.
    """
    if radius_s < 0:
        raise BadInput(f"a window radius of {radius_s} s is negative", remedy="give window_radius_s >= 0")
    distance_s = audio.centres_s()[None, :] - video.latent_centres_s()[:, None]
    inside = np.abs(distance_s) <= radius_s + video.latent_half_spans_s()[:, None] + _SLACK_S
    places = max(int(inside.sum(axis=1).max(initial=0)), 1)
    index = np.full((video.latents, places), audio.columns, dtype=np.int64)
    offset_s = np.zeros((video.latents, places))
    for latent, row in enumerate(inside):
        columns = np.flatnonzero(row)
        index[latent, : len(columns)] = columns
        offset_s[latent, : len(columns)] = distance_s[latent, columns]
    return WindowTable(index, offset_s, audio.columns)


def window_starts_us(
    durations_us: NDArray[np.int64], *, window_us: int, stride_us: int, limit: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Windows of clips, clip by clip: each window's clip, its place among those of the clip, and where it begins.

    Of each clip at most `limit`, spread evenly, head and tail among them. Neighbours lie about `stride_us` apart,
    further where the limit demands it; a clip shorter than a window gives its head alone. AVSyncD draws 2 s windows
    from longer clips [pred]; ours lie on a fixed grid so that they can be cached [ours].

    Args:
        durations_us: (clips,).
        window_us, stride_us, limit: see above.
    """
    rooms_us = np.maximum(durations_us - window_us, 0)
    counts = np.minimum(rooms_us // stride_us + 1, limit)
    clips = np.repeat(np.arange(len(durations_us)), counts)
    places = np.arange(len(clips)) - np.repeat(np.cumsum(counts) - counts, counts)
    return clips, places, rooms_us[clips] * places // np.maximum(counts - 1, 1)[clips]
