"""What one decode pass of a video leaves behind; the shared input of every score.

Times are integer microseconds on the source's own clock, counted from its first picture frame's presentation time
(so a clip's start means the same to every tool); sound carries where its first sample lies on that clock.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from curation.media.embeddings import Track

if TYPE_CHECKING:
    from curation.media.look import Frames


@dataclass(frozen=True, slots=True)
class Timeline:
    """The curves, thumbnails and waveform of one video.

    Attributes:
        width_px, height_px: size of the picture as first shown: upright, with square pixels.
        duration_us: from the first frame's start to the last frame's end.
        frame_us: (frames,) int64, presentation time of each frame; frame_us[0] == 0.
        luma: (frames,) float32 in [0, 1], mean brightness of each frame.
        motion: (frames,) float32 in [0, 1], mean absolute luma difference to the frame before; motion[0] == 0.
        colour_change: (frames,) float32 in [0, 1], distance of the colour histograms of a frame and the one before.
        cells: (frames, 12, 12) uint8, mean luma of each cell of the upright picture.
        cell_motion: (frames, 12, 12) float16 in [0, 1], mean absolute luma difference to the frame before in each cell;
            what makes a sound is often a twentieth of the picture.
        thumb_us: (thumbs,) int64, times of the thumbnails.
        thumbs: (thumbs, height, width, 3) uint8 RGB, sampled at the rate the recipe asks for.
        audio_start_us: where the first sample of `waveform` lies.
        rate_hz: sample rate of `waveform`.
        waveform: (samples,) float32 mono in [-1, 1].
        still_us: (stills,) int64, times of the stills, a few a second.
        stills: (stills, 32, 32) uint8, the upright luma picture squeezed into a square; fingerprints are made of them.
        resized: (changes,) int64, indices of the frames from which on the stream has another size, pixel aspect or
            orientation than before.
        seams: (seams,) int64, indices of the frames at which the file's clock begins anew: recordings were joined.
        sound_holes_us: (holes, 2) int64, begin and end of what the sound lacks between its first sample and its last.
        smeared: (frames,) bool, whether a frame leans on pictures that are lost or damaged; empty if that is not known.
        notes: what a person should know of how the file was read, such as tracks that were passed over; "" is nothing.
    """

    width_px: int
    height_px: int
    duration_us: int
    frame_us: NDArray[np.int64]
    luma: NDArray[np.float32]
    motion: NDArray[np.float32]
    colour_change: NDArray[np.float32]
    thumb_us: NDArray[np.int64]
    thumbs: NDArray[np.uint8]
    audio_start_us: int
    rate_hz: int
    waveform: NDArray[np.float32]
    still_us: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    cells: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 12, 12), np.uint8))
    cell_motion: NDArray[np.float16] = field(default_factory=lambda: np.zeros((0, 12, 12), np.float16))
    stills: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 32, 32), np.uint8))
    resized: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    seams: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    sound_holes_us: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    smeared: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    notes: str = ""


def undecoded(duration_us: int) -> Timeline:
    """The timeline of a video that need not be decoded, because all that a score looks at was kept."""
    nothing, at = np.zeros(0, np.float32), np.zeros(0, np.int64)
    thumbs = np.zeros((0, 0, 0, 3), np.uint8)
    return Timeline(0, 0, duration_us, at, nothing, nothing, nothing, at, thumbs, 0, 16_000, nothing)


class Looker(Protocol):
    """`curation.media.look.look` at a window's video, in this process or in a confined one."""

    def __call__(self, *, start_us: int, end_us: int, hz: float, short_px: int, side_px: int) -> "Frames":
        """The frames of a span of the video, which may lie around the window."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """A span of a timeline together with the words that go with it: what a score looks at.

    Attributes:
        timeline: the decoded video.
        start_us, end_us: the span, 0 <= start_us < end_us <= timeline.duration_us.
        text: caption or class name; empty where the source gives none.
        picture_track, sound_track: embeddings of the whole video over time, where a score asked for them.
        look: decodes frames of the video, where a score looks closely (`Need.FRAMES`); they are not kept.
        take_us: start and end of the shot around the window, which some scores judge it by; None is the whole video.
    """

    timeline: Timeline
    start_us: int
    end_us: int
    text: str = ""
    picture_track: Track | None = None
    sound_track: Track | None = None
    look: Looker | None = None
    take_us: tuple[int, int] | None = None

    def frames(self) -> slice:
        """The frames whose presentation time lies in [start, end)."""
        first, last = np.searchsorted(self.timeline.frame_us, (self.start_us, self.end_us))
        return slice(int(first), int(last))

    def sound(self) -> NDArray[np.float32]:
        """(samples,) the waveform of the span, zero where the track has no sound yet or any more."""
        line = self.timeline
        first = round((self.start_us - line.audio_start_us) * line.rate_hz / 1_000_000)
        count = round((self.end_us - self.start_us) * line.rate_hz / 1_000_000)
        out = np.zeros(count, np.float32)
        inside = line.waveform[max(first, 0) : max(first + count, 0)]
        at = max(-first, 0)
        out[at : at + len(inside)] = inside
        return out

    def centres_us(self, count: int) -> NDArray[np.float64]:
        """(count,) the middles of `count` equal parts of the span."""
        return np.asarray(self.start_us + (np.arange(count) + 0.5) * (self.end_us - self.start_us) / count)

    def thumbnails(self, count: int) -> NDArray[np.uint8]:
        """(at most count, height, width, 3) thumbnails nearest to `count` instants spread evenly, each once."""
        line = self.timeline
        nearest = np.abs(line.thumb_us[None, :] - self.centres_us(count)[:, None]).argmin(axis=1)
        return np.asarray(line.thumbs[np.unique(nearest)])
