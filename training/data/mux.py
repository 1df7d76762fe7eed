"""An MP4 of frames and a given sound: both begin at the same instant and end at the same instant.

The sound's first sample is heard with the first frame: what the AAC encoder puts in front is hidden by an edit list,
which players follow. The last frame is shown until the sound ends. Without B-frames no picture is shown late either.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shards.downmix import Downmix, has_places
from shards.errors import BadInput, TrainingError
from shards.streams import by_preference

Pictures = NDArray[np.uint8]

_CLOCK_HZ = 90_000
_MOST_CHANNELS = 7
"""What PyAV shows of planar sound."""
_USUAL_RATE_HZ = 48_000


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A sound as it is given: (channels, samples) in [-1, 1], its rate, and libav's name of where channels belong."""

    samples: NDArray[np.float32]
    rate_hz: int
    layout: str

    @property
    def duration_s(self) -> float:
        """How long it sounds."""
        return int(self.samples.shape[1]) / self.rate_hz

    def frames(self, fps: int) -> int:
        """How many frames begin before it ends."""
        return -(-int(self.samples.shape[1]) * fps // self.rate_hz)

    def between(self, start_s: float, duration_s: float) -> "Track":
        """A stretch of it, with silence behind the end."""
        start, count = round(start_s * self.rate_hz), round(duration_s * self.rate_hz)
        piece = self.samples[:, start : start + count]
        return replace(self, samples=np.pad(piece, ((0, 0), (0, count - piece.shape[1]))))


def read_track(source: Path) -> Track:
    """The track of a file that `read_sound` hears, with all its channels.

    Ambisonics and more channels than players know are mixed into two.

    Raises:
        BadInput: there is no sound in it, or it cannot be decoded.
    """
    import av

    blocks: list[NDArray[np.float32]] = []
    try:
        with av.open(str(source)) as container:
            stream = next(iter(by_preference(container.streams, "audio")))
            layout, rate_hz = _played(stream.layout), int(stream.rate)
            mix: Any = (
                _Plain(layout, rate_hz) if layout else Downmix(rate_hz=rate_hz, layout="stereo", sample_format="fltp")
            )
            for frame in container.decode(stream):
                blocks += mix.put(frame)
            blocks += mix.rest()
    except (av.FFmpegError, StopIteration) as error:
        raise BadInput(f"{source} has no sound that can be read", remedy="give a WAV, FLAC or MP3 file") from error
    if not blocks:
        raise BadInput(f"{source} has a sound track without samples", remedy="give a file with sound")
    return Track(np.concatenate(blocks, axis=1).astype(np.float32, copy=False), rate_hz, layout or "stereo")


def _played(layout: Any) -> str:
    """The layout that an MP4 keeps; empty where channels have to be mixed."""
    if layout.nb_channels == 1:
        return "mono"
    named = layout.nb_channels <= _MOST_CHANNELS and has_places(layout.name) and "channels" not in layout.name
    return str(layout.name) if named else ""


class _Plain:
    """Decoded frames as planes of floats, whatever the time stamps say, as `Downmix` takes them."""

    def __init__(self, layout: str, rate_hz: int) -> None:
        import av

        self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate_hz)

    def put(self, frame: Any) -> list[NDArray[np.float32]]:
        frame.pts = None
        return [one.to_ndarray() for one in self._resampler.resample(frame)]

    def rest(self) -> list[NDArray[np.float32]]:
        return [one.to_ndarray() for one in self._resampler.resample(None)]


def write_video(out: Path, blocks: Iterable[Pictures], *, fps: int, track: Track, height_px: int) -> None:
    """Write blocks of frames (frames, h, w, 3), enlarged to at least `height_px`, with their sound.

    Blocks are written as they come, so that a film may be longer than memory; the file appears whole or not at all.

    Raises:
        TrainingError: the film could not be written.
    """
    import av

    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.stem}.part.mp4")
    options = {"movflags": "+faststart", "video_track_timescale": str(_CLOCK_HZ), "fflags": "+bitexact"}
    # The edit list of the sound counts in ticks of the whole film: in samples it is exact.
    options["movie_timescale"] = str(_rate_of(track))
    try:
        with av.open(str(aside), "w", format="mp4", options=options) as container:
            _write(container, blocks, fps=fps, track=track, height_px=height_px)
        aside.replace(out)
    except av.FFmpegError as error:
        raise TrainingError(
            f"{out} could not be written: {error}", remedy="check the disk and the sound file"
        ) from error
    finally:
        aside.unlink(missing_ok=True)


def _write(container: Any, blocks: Iterable[Pictures], *, fps: int, track: Track, height_px: int) -> None:
    shown = iter(blocks)
    first = next(shown)
    height, width = first.shape[1:3]
    factor = max(-(-height_px // height), 1)
    picture = container.add_stream("libx264", rate=fps, options={"crf": "16", "bf": "0", "flags": "+bitexact"})
    picture.height, picture.width, picture.pix_fmt = height * factor, width * factor, "yuv420p"
    picture.codec_context.time_base = Fraction(1, fps)
    rate_hz = _rate_of(track)
    sound = container.add_stream("aac", rate=rate_hz, layout=track.layout, options={"flags": "+bitexact"})
    sound.codec_context.bit_rate = max(80_000 * track.samples.shape[0], 160_000)
    end = round(track.duration_s * _CLOCK_HZ)
    heard = _packets(sound, track, rate_hz)
    # Sound goes in beside the pictures that it belongs to: who streams the film need not seek.
    waiting = next(heard, None)
    for packet in _pictures(picture, first, shown, fps=fps, end=end):
        while waiting is not None and waiting.dts * waiting.time_base <= packet.dts * packet.time_base:
            container.mux(waiting)
            waiting = next(heard, None)
        container.mux(packet)
    for rest in (waiting, *heard):
        if rest is not None:
            container.mux(rest)


def _pictures(stream: Any, first: Pictures, more: Iterator[Pictures], *, fps: int, end: int) -> Iterator[Any]:
    """Encoded frames on the film's clock; the last one lasts until `end`."""
    held: Any = None
    for packet in _encoded(stream, first, more, fps=fps):
        tick = round(packet.pts * packet.time_base * _CLOCK_HZ)
        packet.time_base, packet.pts, packet.dts = Fraction(1, _CLOCK_HZ), tick, tick
        if held is not None:
            held.duration = tick - held.pts
            yield held
        held = packet
    held.duration = max(end - held.pts, 1)
    yield held


def _encoded(stream: Any, first: Pictures, more: Iterator[Pictures], *, fps: int) -> Iterator[Any]:
    import av

    number = 0
    for block in _from(first, more):
        for pixels in block:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame = frame.reformat(stream.width, stream.height, "yuv420p", interpolation="BICUBIC")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            number += 1
            yield from stream.encode(frame)
    yield from stream.encode(None)


def _from(first: Pictures, more: Iterator[Pictures]) -> Iterator[Pictures]:
    yield first
    yield from more


def _packets(stream: Any, track: Track, rate_hz: int) -> Iterator[Any]:
    """The sound, encoded."""
    import av

    resampler = av.AudioResampler(
        format="fltp", layout=track.layout, rate=rate_hz, frame_size=stream.codec_context.frame_size or 1024
    )
    for start in range(0, track.samples.shape[1], 1 << 16):
        piece = np.ascontiguousarray(track.samples[:, start : start + (1 << 16)])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=track.layout)
        frame.sample_rate, frame.pts, frame.time_base = track.rate_hz, start, Fraction(1, track.rate_hz)
        for one in resampler.resample(frame):
            yield from stream.encode(one)
    with suppress(av.EOFError):
        for one in resampler.resample(None):
            yield from stream.encode(one)
    yield from stream.encode(None)


def _rate_of(track: Track) -> int:
    """Its own rate, where AAC has it."""
    import av

    return track.rate_hz if track.rate_hz in (av.Codec("aac", "w").audio_rates or ()) else _USUAL_RATE_HZ
