"""A film into an MP4 file: H.264 and AAC, index in front, the same bytes for the same film.

The AAC encoder puts 1,024 samples of priming before the sound; the file's edit list takes them away again on reading,
so that sample 0 sounds exactly as frame 0 is shown. No B-frames: presentation order is decoding order.
"""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from training.world.film import Film

X264 = {"preset": "veryfast", "crf": "20", "bf": "0", "g": "250", "threads": "1"}
AAC_BITS_PER_S = 128_000
CHUNK = 1024
CODEC_FLAG_BITEXACT = 1 << 23  # AV_CODEC_FLAG_BITEXACT: no encoder version inside the file


def write_film(film: Film, path: Path, *, picture: bool = True, sound: bool = True) -> None:
    """Encode `film` to `path`; the file appears whole or not at all.

    Args:
        film: what to write; height and width must be even.
        path: the file, ending in .mp4; an older one is replaced.
        picture, sound: whether the file has that track.
    """
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.stem}.part.mp4")
    flags = {"movflags": "+faststart", "fflags": "+bitexact"}
    try:
        with av.open(str(aside), "w", format="mp4", options=flags) as container:
            video = _video_stream(container, film) if picture else None
            audio = _audio_stream(container, film) if sound else None
            if video is not None:
                _encode_frames(container, video, film)
            if audio is not None:
                _encode_samples(container, audio, film)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _video_stream(container: Any, film: Film) -> Any:
    stream = container.add_stream("libx264", rate=film.fps, options=X264)
    stream.height, stream.width = film.frames.shape[1:3]
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, film.fps)
    stream.codec_context.flags |= CODEC_FLAG_BITEXACT
    return stream


def _audio_stream(container: Any, film: Film) -> Any:
    stream = container.add_stream("aac", rate=film.rate_hz, layout="mono")
    stream.bit_rate = AAC_BITS_PER_S
    stream.codec_context.flags |= CODEC_FLAG_BITEXACT
    return stream


def _encode_frames(container: Any, stream: Any, film: Film) -> None:
    import av

    for number, pixels in enumerate(film.frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame.pts = number
        frame.time_base = Fraction(1, film.fps)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _encode_samples(container: Any, stream: Any, film: Film) -> None:
    import av

    for first in range(0, len(film.audio), CHUNK):
        block = np.ascontiguousarray(film.audio[None, first : first + CHUNK])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate = film.rate_hz
        frame.pts = first
        frame.time_base = Fraction(1, film.rate_hz)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
