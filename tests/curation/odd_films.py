"""Small films with several tracks, matrices and layouts: four corners of known colour, and tones of known pitch."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

FPS, RATE_HZ, SECONDS = 25, 48_000, 4
RED, GREEN, BLUE, WHITE = (220, 40, 40), (40, 200, 40), (40, 40, 220), (240, 240, 240)


def corners(width: int = 96, height: int = 64) -> np.ndarray:
    """(height, width, 3): red and green above, blue and white below."""
    picture = np.zeros((height, width, 3), np.uint8)
    top, left = slice(0, height // 2), slice(0, width // 2)
    bottom, right = slice(height // 2, None), slice(width // 2, None)
    picture[top, left], picture[top, right], picture[bottom, left], picture[bottom, right] = RED, GREEN, BLUE, WHITE
    return picture


def corner_names(image: np.ndarray) -> str:
    """The colours of the corners, in the order of reading: "RGBW" as drawn."""
    rows, columns = (image.shape[0] // 8, -image.shape[0] // 8), (image.shape[1] // 8, -image.shape[1] // 8)
    known = {"R": RED, "G": GREEN, "B": BLUE, "W": WHITE}
    found = [image[y, x].astype(int) for y in rows for x in columns]
    return "".join(min(known, key=lambda name: np.abs(one - known[name]).sum()) for one in found)


def tone(hz: float = 440.0, *, seconds: float = SECONDS, peak: float = 0.5) -> np.ndarray:
    """(samples,) float32."""
    return (peak * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


@dataclass(frozen=True)
class Picture:
    """A picture track; `moves` shakes it, `frames` says how many there are."""

    width: int = 96
    height: int = 64
    codec: str = "libx264"
    frames: int = SECONDS * FPS
    moves: bool = True
    default: bool = True
    matrix: Sequence[int] | None = None
    pixel_aspect: Fraction | None = None
    broken: bool = False


@dataclass(frozen=True)
class Sound:
    """A sound track: (channels, samples) in a layout, or a tone of so many Hz."""

    hz: float = 440.0
    codec: str = "flac"
    layout: str = "mono"
    samples: np.ndarray | None = None
    default: bool = True
    broken: bool = False


def film(path: Path, *tracks: Picture | Sound) -> Path:
    """Write tracks in their order, packets of all of them interleaved; those that are `broken` are noise."""
    with av.open(str(path), "w") as out:
        made = [_stream(out, track) for track in tracks]
        packets = [
            (packet, track) for stream, track in zip(made, tracks, strict=True) for packet in _packets(stream, track)
        ]
        noise = np.random.default_rng(0)
        for packet, track in sorted(packets, key=lambda one: one[0].dts * one[0].time_base):
            if not track.broken:
                out.mux(packet)
                continue
            junk = av.Packet(noise.bytes(packet.size))
            junk.stream, junk.pts, junk.dts, junk.time_base = packet.stream, packet.pts, packet.dts, packet.time_base
            junk.is_keyframe = True
            out.mux(junk)
    return path


def _stream(out, track):
    if isinstance(track, Picture):
        stream = out.add_stream(track.codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = track.width, track.height, "yuv420p"
        if track.codec == "mjpeg":
            stream.pix_fmt = "yuvj420p"
        if track.codec == "libx264":
            stream.options = {"preset": "ultrafast", "bf": "2"}
        if track.matrix:
            stream.set_display_matrix(track.matrix)
        if track.pixel_aspect:
            stream.codec_context.sample_aspect_ratio = track.pixel_aspect
    else:
        # Family 2 is ambisonics, 255 channels of no known place (RFC 8486, 3.1; RFC 7845, 5.1.1.3).
        family = "2" if track.layout.startswith("ambisonic") else "255"
        options = {"mapping_family": family} if track.codec == "libopus" and track.layout != "mono" else {}
        stream = out.add_stream(track.codec, rate=RATE_HZ, layout=track.layout, options=options)
    stream.disposition = Disposition.default if track.default else Disposition(0)
    return stream


def _packets(stream, track):
    packets = []
    for frame in _pictures(track) if isinstance(track, Picture) else _sounds(stream, track):
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _pictures(track):
    for number in range(track.frames):
        picture = corners(track.width, track.height)
        if track.moves:
            picture[track.height // 2 - 6 : track.height // 2 + 6] = 255 * (number % 2)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        yield frame


def _sounds(stream, track):
    samples = tone(track.hz)[None] if track.samples is None else track.samples
    packed = np.ascontiguousarray(samples.T.reshape(1, -1))
    frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=track.layout)
    frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
    resampler = av.AudioResampler(
        format=stream.codec_context.format.name, layout=track.layout, rate=RATE_HZ,
        frame_size=stream.codec_context.frame_size or 1024,
    )  # fmt: skip
    yield from [*resampler.resample(frame), *resampler.resample(None)]


def pitch_hz(samples: np.ndarray, rate_hz: int) -> float:
    """The loudest pitch."""
    return float(np.abs(np.fft.rfft(samples)).argmax() * rate_hz / len(samples))
