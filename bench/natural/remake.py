"""Copies of a film that have to be encoded anew: a voice or music laid over its sound, or its first frame for ever."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.natural.frames import decoded
from bench.natural.remux import Extent, Track, extent, own_picture, own_sound, write
from curation.media.analyse import analyse
from curation.media.container import open_media
from curation.media.decode import Kind, frame_time_us
from curation.media.settings import AnalysisSettings

RATE_HZ = 48_000
AAC_BITS_PER_S = 128_000
LEVEL = 0.1
DUCKED = 0.25
"""Root mean square of what lies over a film's sound, and how much quieter that is beneath it (12 dB), as editors do."""

CLOCK = Fraction(1, 90_000)
X264 = {"preset": "ultrafast", "crf": "18", "threads": "1", "bf": "0"}


def laid_over(film: Path, over: Path, out: Path) -> None:
    """Write `out`: the film's picture as it is, another film's sound over its own.

    Raises:
        MediaFailure: a film cannot be decoded.
    """
    own, other = (analyse(one, settings=AnalysisSettings(rate_hz=RATE_HZ), pictures=False) for one in (film, over))
    place = extent(film)
    start_us = place.first_us + own.audio_start_us
    samples = mixed(own.waveform, other.waveform)[max(0, round(-start_us * RATE_HZ / 1e6)) :]
    with open_media(film) as media:
        write(out, own_picture(media), _encoded_sound(samples, max(0, start_us)))


def mixed(own: NDArray[np.float32], over: NDArray[np.float32]) -> NDArray[np.float32]:
    """(samples,) a film's sound under another one, which is repeated to its length; neither overshoots."""
    both = _levelled(np.resize(over, len(own)), LEVEL) + _levelled(own, DUCKED * LEVEL)
    return np.asarray(both / max(1.0, float(np.abs(both).max(initial=0)) / 0.99), np.float32)


def frozen(film: Path, out: Path) -> None:
    """Write `out`: the film's sound as it is, and its first frame at all times at which it shows one.

    Raises:
        MediaFailure: the film cannot be decoded.
    """
    place, first, times_us = extent(film), None, list[int]()
    with open_media(film) as media:
        for kind, frame in decoded(media):
            if kind is Kind.PICTURE and (at := frame_time_us(frame)) is not None:
                first = frame if first is None else first
                times_us.append(at)
    with open_media(film) as media:
        write(out, _encoded_still(first, times_us, place), own_sound(media))


def _levelled(sound: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    power = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) if len(sound) else 0.0
    return np.asarray(sound * (level / max(power, 1e-3)), np.float32)


def _encoded_sound(samples: NDArray[np.float32], start_us: int) -> Track:
    def track(target: Any) -> list[Any]:
        import av

        stream = target.add_stream("aac", rate=RATE_HZ, layout="mono")
        stream.bit_rate = AAC_BITS_PER_S
        start, packets = round(start_us * RATE_HZ / 1e6), list[Any]()
        for at in range(0, len(samples), 1024):
            frame = av.AudioFrame.from_ndarray(samples[None, at : at + 1024], format="fltp", layout="mono")
            frame.rate, frame.pts, frame.time_base = RATE_HZ, start + at, Fraction(1, RATE_HZ)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        return packets

    return track


def _encoded_still(frame: Any, times_us: Sequence[int], place: Extent) -> Track:
    def track(target: Any) -> list[Any]:
        stream = target.add_stream("libx264", rate=30, options=X264)
        stream.width, stream.height = frame.width // 2 * 2, frame.height // 2 * 2
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", CLOCK
        still = frame.reformat(stream.width, stream.height, "yuv420p")
        still.pict_type = 0
        packets = list[Any]()
        shown = sorted({at for at in times_us if at >= place.first_us})
        for at in shown:
            still.pts, still.time_base = round(at * 1e-6 / CLOCK), CLOCK
            packets += stream.encode(still)
        packets += stream.encode(None)
        # The encoder does not say how long frames last, and the last one's length is the film's.
        for packet, (at, until) in zip(packets, pairwise([*shown, place.end_us]), strict=True):
            packet.duration = max(1, round((until - at) * 1e-6 / packet.time_base))
        return packets

    return track
