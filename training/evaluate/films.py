"""What is evaluated: short clips with their sound, read the same way whatever they come from.

The predecessor's protocol by default: of each video the head, the centre and the tail, 2 s each, 12 frames at 6 fps and
256 px [pred]. It crops to the shape that is wanted, then scales; so do we, by area instead of bilinearly.
"""

from dataclasses import dataclass, replace
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shards.errors import BadInput
from shards.streams import by_preference
from training.data.media import fitted_sound, read_frames, read_sound

Frames = NDArray[np.uint8]
"""(frames, h, w, 3) RGB."""

Wave = NDArray[np.float32]
"""(samples,) in [-1, 1]."""

Times = NDArray[np.float64]
"""(events,) rising seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFormat:
    """How clips are cut: `per_video` stretches of `frames` at `fps`, `size_px` (height, width), mono at `rate_hz`."""

    frames: int = 12
    fps: float = 6.0
    size_px: tuple[int, int] = (256, 256)
    per_video: int = 3
    rate_hz: int = 16_000

    @property
    def duration_s(self) -> float:
        """Length of a clip."""
        return self.frames / self.fps

    def say(self) -> str:
        """The format in words, as protocols name it."""
        height, width = self.size_px
        return (
            f"{self.frames} frames at {self.fps:g} fps, {width}x{height} px (centre, area), "
            f"{self.per_video} clips a video, sound {self.rate_hz} Hz"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedClip:
    """A clip and all that metrics may ask of it.

    Attributes:
        name: unique in its benchmark, and the stem of a generated film's file: VIDEO_clip-N as the predecessor's.
        video_id: whose clips are no two witnesses.
        frames, fps: (frames, h, w, 3); frame k is shown from k / fps.
        waveform, rate_hz: (samples,) mono; sample 0 sounds as frame 0 is shown.
        caption: words, or the class.
        sounds_s: when the sounds begin that a strike should be seen at; None where that is not known.
    """

    name: str
    video_id: str
    frames: Frames
    fps: float
    waveform: Wave
    rate_hz: int
    caption: str = ""
    sounds_s: Times | None = None

    def with_frames(self, frames: Frames) -> "EvaluatedClip":
        """The same sound with another picture."""
        return replace(self, frames=frames)

    def sound_at(self, rate_hz: int) -> Wave:
        """The waveform at another rate."""
        from scipy.signal import resample_poly

        if rate_hz == self.rate_hz:
            return self.waveform
        divisor = gcd(rate_hz, self.rate_hz)
        made = resample_poly(self.waveform, rate_hz // divisor, self.rate_hz // divisor)
        return np.asarray(made, np.float32)


def clip_starts_s(length_s: float, cut: ClipFormat) -> list[float]:
    """Where the clips of a video begin: evenly from its head to its tail, a single one in its middle [pred].

    A video that is no longer than a clip gives one.
    """
    room = length_s - cut.duration_s
    if room <= 0:
        return [0.0]
    return [room / 2] if cut.per_video == 1 else [float(at) for at in np.linspace(0.0, room, cut.per_video)]


def read_clips(media: Path | bytes, cut: ClipFormat, *, video_id: str, caption: str = "") -> list[EvaluatedClip]:
    """The clips of a video, which is decoded once.

    Raises:
        BadInput: it cannot be decoded, or has no sound.
    """
    data = media.read_bytes() if isinstance(media, Path) else media
    late_s, length_s = _sound_start_and_length_s(data, video_id)
    starts = clip_starts_s(length_s, cut)
    wanted = [[round((start + k / cut.fps) * 1e6) for k in range(cut.frames)] for start in starts]
    instants = sorted({at for clip in wanted for at in clip})
    place = {at: number for number, at in enumerate(instants)}
    pictures = read_frames(data, instants, size_px=cut.size_px)
    waveform, _ = read_sound(data, rate_hz=cut.rate_hz)
    samples = round(cut.duration_s * cut.rate_hz)
    made = []
    for number, (start, at) in enumerate(zip(starts, wanted, strict=True)):
        first = round((start - late_s) * cut.rate_hz)
        lead = np.zeros(min(max(-first, 0), samples), np.float32)
        heard = np.concatenate([lead, fitted_sound(waveform, start=max(first, 0), count=samples - len(lead))])
        made.append(
            EvaluatedClip(
                name=f"{video_id}_clip-{number}",
                video_id=video_id,
                frames=pictures[[place[one] for one in at]],
                fps=cut.fps,
                waveform=heard,
                rate_hz=cut.rate_hz,
                caption=caption,
            )
        )
    return made


def read_film(path: Path, cut: ClipFormat) -> Frames:
    """The frames of a film that was made for one clip, from its beginning.

    Raises:
        BadInput: there is none, or it cannot be decoded.
    """
    if not path.is_file():
        raise BadInput(f"there is no film {path}", remedy="make one of every clip, named as `evaluate run` lists them")
    return read_frames(path.read_bytes(), [round(k / cut.fps * 1e6) for k in range(cut.frames)], size_px=cut.size_px)


def _sound_start_and_length_s(data: bytes, name: str) -> tuple[float, float]:
    """How much later than the picture the sound begins, and for how long there are both."""
    import io

    import av

    try:
        with av.open(io.BytesIO(data)) as container:
            picture = next(iter(by_preference(container.streams, "video")), None)
            sound = next(iter(by_preference(container.streams, "audio")), None)
            if picture is None or sound is None:
                lacks = "picture" if picture is None else "sound"
                raise BadInput(f"{name} has no {lacks}", remedy="leave it out of the benchmark")
            (first, end), (heard, silent) = (_span_s(one, container) for one in (picture, sound))
            return heard - first, min(end, silent) - first
    except av.FFmpegError as error:
        raise BadInput(f"{name} is no video that can be read: {error}", remedy="leave it out") from error


def _span_s(stream: object, container: object) -> tuple[float, float]:
    """When a track begins and ends; tracks that do not say their length have the container's."""
    base = getattr(stream, "time_base", None) or 0
    start_s = float((getattr(stream, "start_time", None) or 0) * base)
    ticks = getattr(stream, "duration", None)
    whole_s = (getattr(container, "duration", None) or 0) / 1e6
    return start_s, start_s + float(ticks * base) if ticks else max(whole_s, start_s)
