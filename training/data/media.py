"""Pictures and sound out of files: what training needs of PyAV, and no more; `mux.py` writes them into one."""

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shards.display import Orientation, square_px
from shards.downmix import Downmix
from shards.errors import BadInput
from shards.streams import by_preference

# Containers round presentation times to their own ticks; an instant this close before a frame belongs to it.
_TICK_SLACK_US = 1_000

MOST_PIXELS = 150_000_000
"""Of an image: more than any camera's, and what memory holds [ours]."""


def read_frames(mp4: bytes, instants_us: Sequence[int], *, size_px: tuple[int, int]) -> NDArray[np.uint8]:
    """(instants, h, w, 3) the picture shown at each instant, counted from the first frame; ascending instants.

    The picture is scaled to cover `size_px` (height, width) and its centre cut out; behind the last frame, that frame.

    Raises:
        BadInput: the bytes hold no picture that can be decoded.
    """
    import av

    pictures: list[NDArray[np.uint8]] = []
    shown: Any = None
    first_us: int | None = None
    try:
        with av.open(io.BytesIO(mp4)) as container:
            for frame in container.decode(video=0):
                time_us = round(float(frame.pts * frame.time_base) * 1_000_000)
                first_us = time_us if first_us is None else first_us
                while (
                    len(pictures) < len(instants_us)
                    and time_us - first_us > instants_us[len(pictures)] + _TICK_SLACK_US
                ):
                    pictures.append(_covering(shown if shown is not None else frame, size_px))
                shown = frame
                if len(pictures) == len(instants_us):
                    break
    except (av.FFmpegError, IndexError) as error:
        raise BadInput(f"a clip's picture cannot be decoded: {error}", remedy="verify the snapshot") from error
    if shown is None:
        raise BadInput("a clip has no picture", remedy="verify the snapshot")
    pictures += [_covering(shown, size_px)] * (len(instants_us) - len(pictures))
    return np.stack(pictures)


def read_image(source: Path | bytes, *, size_px: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w, 3) an image file (or a video's first frame), scaled to cover `size_px` and cut to its centre.

    It is upright, as its EXIF tag or display matrix asks, and what is transparent shows white.

    Raises:
        BadInput: there is no such file, it is no image, or one too large to be opened.
    """
    import av

    name = str(source) if isinstance(source, Path) else "the image"
    if isinstance(source, Path) and not source.is_file():
        raise BadInput(f"there is no image {source}", remedy="name a PNG or JPEG file")
    try:
        with av.open(str(source) if isinstance(source, Path) else io.BytesIO(source)) as container:
            stream = next(iter(by_preference(container.streams, "video")), container.streams.video[0])
            if stream.width * stream.height > MOST_PIXELS:
                raise BadInput(
                    f"{name} has {stream.width} x {stream.height} pixels, more than {MOST_PIXELS // 10**6} million",
                    remedy="give a smaller copy of it",
                )
            frame, still = next(container.decode(stream)), container.format.name.endswith(("_pipe", "image2"))
            # A photo's resolution says how it is printed, and its pixels are square whatever that is.
            aspect = None if still else stream.sample_aspect_ratio
            return _covering(_on_white(frame), size_px, aspect=aspect, orientation=Orientation.of(frame))
    except (av.FFmpegError, IndexError, StopIteration) as error:
        raise BadInput(f"{name} is no image that can be read", remedy="give a PNG or JPEG file") from error


def read_sound(source: Path | bytes, *, rate_hz: int | None = None) -> tuple[NDArray[np.float32], int]:
    """Mono samples (samples,) in [-1, 1] and their rate; its own rate unless `rate_hz` asks for another.

    Raises:
        BadInput: there is no such file, no sound in it, or it cannot be decoded.
    """
    import av

    name = str(source) if isinstance(source, Path) else "the clip"
    if isinstance(source, Path) and not source.is_file():
        raise BadInput(f"there is no sound file {source}", remedy="name a WAV, FLAC, MP3 or a video with sound")
    blocks: list[NDArray[np.float32]] = []
    try:
        with av.open(str(source) if isinstance(source, Path) else io.BytesIO(source)) as container:
            stream = next(iter(by_preference(container.streams, "audio")), None)
            if stream is None:
                raise BadInput(f"{name} has no sound track", remedy="give a file with sound")
            rate = rate_hz or stream.rate
            mix = Downmix(rate_hz=rate, sample_format="fltp")
            for frame in container.decode(stream):
                blocks += [block[0] for block in mix.put(frame)]
            blocks += [block[0] for block in mix.rest()]
    except av.FFmpegError as error:
        raise BadInput(f"{name} is no sound that can be read", remedy="give a WAV, FLAC or MP3 file") from error
    if not sum(map(len, blocks)):
        raise BadInput(f"{name} has a sound track without samples", remedy="give a file with sound")
    return np.concatenate(blocks).astype(np.float32, copy=False), int(rate)


def fitted_sound(waveform: NDArray[np.float32], *, start: int, count: int) -> NDArray[np.float32]:
    """`count` samples from `start`, with silence behind the end."""
    piece = waveform[start : start + count]
    return np.pad(piece, (0, count - len(piece)))


def _covering(
    frame: Any, size_px: tuple[int, int], *, aspect: Fraction | None = None, orientation: Orientation = Orientation()
) -> NDArray[np.uint8]:
    height, width = reversed(orientation.shown(*reversed(size_px)))
    own_width, own_height = square_px(frame.width, frame.height, aspect)
    factor = max(height / own_height, width / own_width)
    tall, wide = max(round(own_height * factor), height), max(round(own_width * factor), width)
    pixels = frame.reformat(width=wide, height=tall, format="rgb24", interpolation="AREA").to_ndarray()
    top, left = (tall - height) // 2, (wide - width) // 2
    cut: NDArray[np.uint8] = np.ascontiguousarray(pixels[top : top + height, left : left + width])
    return orientation.upright(cut)


def _on_white(frame: Any) -> Any:
    """The frame without transparency, before anything is scaled: colours that are hidden must not bleed into others."""
    import av

    if not (frame.format.has_palette or any(part.is_alpha for part in frame.format.components)):
        return frame
    pixels = frame.reformat(format="rgba").to_ndarray().astype(np.uint16)
    alpha = pixels[..., 3:]
    shown = (pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return av.VideoFrame.from_ndarray(shown.astype(np.uint8), format="rgb24")
