"""What a clip looks and sounds like at a glance: a strip of frames, and the peaks of its sound.

The strip is one ffmpeg process per clip (its decoder, scaler and JPEG encoder, through a pipe); the sound is decoded in
this process, which costs no second start of ffmpeg. Both may only open files: a container that refers to the network
is refused [ours].
"""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.review.where import Where
from shards.errors import BadInput
from shards.ffmpeg import ffmpeg_binary

TIMEOUT_S = 60
PEAK_RATE_HZ = 8_000
ONLY_FILES = "file,pipe"
REMEDY = "make the clip again; `clapboard explain` shows where it came from"


def contact_strip(
    mp4: Path,
    *,
    tiles: int = 6,
    height_px: int = 72,
    span_us: tuple[int, int] | None = None,
    where: Where | None = None,
) -> bytes:
    """Frames of a clip side by side, each from the middle of its share of the time.

    Args:
        mp4: the file.
        tiles: how many frames.
        height_px: of each frame; the width follows from its shape.
        span_us: the part of the file to show; all of it if None.
        where: a region to frame in each of them.

    Returns:
        A JPEG, the same bytes for the same file and the same ffmpeg.

    Raises:
        BadInput: the file holds no picture that can be decoded.
        Unavailable: there is no ffmpeg.
    """
    import ffmpeg

    start_us, end_us = _span_us(mp4, span_us)
    source = ffmpeg.input(str(mp4), ss=f"{start_us}us", t=f"{end_us - start_us}us", protocol_whitelist=ONLY_FILES)
    frames = _framed(
        source.video.filter("fps", fps=f"{tiles * 1_000_000}/{end_us - start_us}", round="near")
        .filter("tpad", stop_mode="clone", stop=tiles)
        .filter("scale", -2, height_px),
        where,
    )
    strip = (
        frames.filter("tile", layout=f"{tiles}x1")
        .output("pipe:", f="mjpeg", vframes=1, pix_fmt="yuvj420p", **{"q:v": 4, "flags": "+bitexact"})
        .global_args("-nostdin", "-loglevel", "error")
    )
    return _run(ffmpeg.compile(strip, cmd=str(ffmpeg_binary())), mp4)


def sound_peaks(mp4: Path, *, columns: int = 240, span_us: tuple[int, int] | None = None) -> NDArray[np.float32]:
    """(columns,) peak amplitude in [0, 1] of equal shares of the clip's time; zeros where there is no sound.

    Raises:
        BadInput: the file cannot be opened or its sound cannot be decoded.
    """
    import av

    start_us, end_us = span_us or (0, _duration_us(mp4))
    line = np.zeros(max((end_us - start_us) * PEAK_RATE_HZ // 1_000_000, columns), np.float32)
    try:
        with _opened(mp4) as container:
            if container.streams.audio:
                _lay_sound(container, line, start_us)
    except av.FFmpegError as error:
        raise BadInput(f"the sound of {mp4.name} cannot be decoded: {error.strerror}", remedy=REMEDY) from error
    return np.array([share.max() for share in np.array_split(np.abs(line), columns)], np.float32).clip(0, 1)


def tiles_for(mp4: Path, *, strip_aspect: float = 8.0) -> int:
    """How many frames make a strip about `strip_aspect` times as wide as high: 6 at 4:3, 14 at 9:16.

    Raises:
        BadInput: the file cannot be opened or has no picture track.
    """
    with _opened(mp4) as container:
        if not container.streams.video:
            raise BadInput(f"{mp4.name} has no picture track", remedy=REMEDY)
        codec = container.streams.video[0].codec_context
        shape = codec.width / codec.height if codec.width and codec.height else 4 / 3
    return min(max(round(strip_aspect / shape), 2), 16)


def _span_us(mp4: Path, span_us: tuple[int, int] | None) -> tuple[int, int]:
    start_us, end_us = span_us or (0, _duration_us(mp4))
    if end_us <= start_us:
        raise BadInput(f"{mp4.name} has no picture to show", remedy=REMEDY)
    return start_us, end_us


def _framed(frames: Any, where: Where | None) -> Any:
    """A light line within a dark one: one of them is seen on every picture. A guess has a thin line."""
    if where is None:
        return frames
    line_px = 2 if where.sure else 1
    for colour, thick_px, out_px in (("black@0.6", line_px + 2, 1), ("white", line_px, 0)):
        frames = frames.filter(
            "drawbox",
            x=f"iw*{where.x:.4f}-{out_px}",
            y=f"ih*{where.y:.4f}-{out_px}",
            w=f"iw*{where.side:.4f}+{2 * out_px}",
            h=f"ih*{where.side:.4f}+{2 * out_px}",
            color=colour,
            thickness=thick_px,
        )
    return frames


def _run(command: list[str], mp4: Path) -> bytes:
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise BadInput(f"ffmpeg did not finish {mp4.name} in {TIMEOUT_S} s", remedy=REMEDY) from error
    if done.returncode or not done.stdout:
        words = done.stderr.decode(errors="replace").strip().splitlines() or ["no frame came out"]
        raise BadInput(f"no strip of {mp4.name}: {words[-1]}", remedy=REMEDY)
    return done.stdout


def _opened(mp4: Path) -> Any:
    import av

    try:
        return av.open(str(mp4), container_options={"protocol_whitelist": ONLY_FILES})
    except (av.FFmpegError, OSError) as error:
        raise BadInput(f"{mp4.name} cannot be opened: {error.strerror}", remedy=REMEDY) from error


def _duration_us(mp4: Path) -> int:
    with _opened(mp4) as container:
        return int(container.duration or 0)


def _lay_sound(container: Any, line: NDArray[np.float32], start_us: int) -> None:
    """Decode the first sound track into `line`, whose sample 0 lies `start_us` after the file's start."""
    import av

    origin_us = start_us + (container.start_time or 0)
    if start_us:
        container.seek(origin_us)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=PEAK_RATE_HZ)
    for decoded in container.decode(audio=0):
        for frame in resampler.resample(decoded):
            if frame.time is None:
                continue
            at = round((frame.time - origin_us / 1e6) * PEAK_RATE_HZ)
            if at >= len(line):
                return
            samples = frame.to_ndarray().reshape(-1)[max(-at, 0) :]
            room = line[max(at, 0) : max(at, 0) + len(samples)]
            room[:] = samples[: len(room)]
