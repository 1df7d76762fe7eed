"""Pictures and sound out of files and back into one: what training needs of PyAV and ffmpeg, and no more."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shards.errors import BadInput, TrainingError

# Containers round presentation times to their own ticks; an instant this close before a frame belongs to it.
_TICK_SLACK_US = 1_000


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


def read_image(path: Path, *, size_px: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w, 3) an image file (or a video's first frame), scaled to cover `size_px` and cut to its centre.

    Raises:
        BadInput: there is no such file, or it is no image.
    """
    import av

    if not path.is_file():
        raise BadInput(f"there is no image {path}", remedy="name a PNG or JPEG file")
    try:
        with av.open(str(path)) as container:
            return _covering(next(container.decode(video=0)), size_px)
    except (av.FFmpegError, IndexError, StopIteration) as error:
        raise BadInput(f"{path} is no image that can be read", remedy="give a PNG or JPEG file") from error


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
            if not container.streams.audio:
                raise BadInput(f"{name} has no sound track", remedy="give a file with sound")
            rate = rate_hz or container.streams.audio[0].rate
            resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate)
            for frame in container.decode(audio=0):
                blocks += [block.to_ndarray()[0] for block in resampler.resample(frame)]
            blocks += [block.to_ndarray()[0] for block in resampler.resample(None)]
    except av.FFmpegError as error:
        raise BadInput(f"{name} is no sound that can be read", remedy="give a WAV, FLAC or MP3 file") from error
    if not sum(map(len, blocks)):
        raise BadInput(f"{name} has a sound track without samples", remedy="give a file with sound")
    return np.concatenate(blocks).astype(np.float32, copy=False), int(rate)


def fitted_sound(waveform: NDArray[np.float32], *, start: int, count: int) -> NDArray[np.float32]:
    """`count` samples from `start`, with silence behind the end."""
    piece = waveform[start : start + count]
    return np.pad(piece, (0, count - len(piece)))


def write_video(
    out: Path, frames: NDArray[np.uint8], *, fps: int, sound: Path, height_px: int, sound_start_s: float = 0.0
) -> None:
    """Write frames (frames, h, w, 3), enlarged to at least `height_px`, with a file's own sound.

    The sound is cut, or followed by silence, to be exactly as long as the frames; the file appears whole or not at all.

    Raises:
        TrainingError: ffmpeg failed.
    """
    import ffmpeg

    from shards.ffmpeg import ffmpeg_binary

    count, height, width = frames.shape[:3]
    factor = max(-(-height_px // height), 1)
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.stem}.part.mp4")
    picture = ffmpeg.input("pipe:", format="rawvideo", pix_fmt="rgb24", s=f"{width}x{height}", r=fps)
    picture = picture.filter("scale", width * factor, height * factor, flags="bicubic")
    heard = ffmpeg.input(str(sound)).audio.filter("atrim", start=sound_start_s, duration=count / fps)
    heard = heard.filter("asetpts", "PTS-STARTPTS").filter("apad", whole_dur=count / fps)
    command = ffmpeg.output(
        picture, heard, str(aside), t=count / fps, vcodec="libx264", crf=16, pix_fmt="yuv420p", acodec="aac",
        audio_bitrate="160k", movflags="+faststart", **{"bitexact": None},
    ).overwrite_output()  # fmt: skip
    try:
        command.run(cmd=str(ffmpeg_binary()), input=frames.tobytes(), capture_stdout=True, capture_stderr=True)
        aside.replace(out)
    except ffmpeg.Error as error:
        last = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise TrainingError(f"ffmpeg could not write {out}: {last}", remedy="check the sound file") from error
    finally:
        aside.unlink(missing_ok=True)


def _covering(frame: Any, size_px: tuple[int, int]) -> NDArray[np.uint8]:
    height, width = size_px
    factor = max(height / frame.height, width / frame.width)
    tall, wide = max(round(frame.height * factor), height), max(round(frame.width * factor), width)
    pixels = frame.reformat(width=wide, height=tall, format="rgb24", interpolation="AREA").to_ndarray()
    top, left = (tall - height) // 2, (wide - width) // 2
    cut: NDArray[np.uint8] = np.ascontiguousarray(pixels[top : top + height, left : left + width])
    return cut
