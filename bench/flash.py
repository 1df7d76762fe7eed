"""Films of flashes and clicks: seen and heard at one instant, so that any shift between the two can be measured.

The film is decoded by the same decoder before and after whatever is examined, so what a codec itself does to the sound
cancels out.
"""

import io
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shards.ffmpeg import ffmpeg_binary

RATE_HZ = 48_000
CLICK_HZ = 3_000
CLICK_S = 0.004
MILLI = Fraction(1, 1000)


@dataclass(frozen=True, slots=True)
class Film:
    """How a film is encoded; `texture` is the grain of its picture in steps of luma, without which it costs nothing."""

    video: str = "libx264"
    audio: str = "aac"
    container: str = "mp4"
    vfr: bool = False
    edited: bool = False
    seconds: float = 8.0
    fps: int = 25
    width_px: int = 96
    height_px: int = 64
    texture: int = 0

    def __str__(self) -> str:
        parts = [self.video, self.audio, self.container, "vfr" if self.vfr else "cfr"]
        return " ".join([*parts, *(["edit list"] if self.edited else [])])


@dataclass(frozen=True, slots=True)
class Events:
    """When flashes are seen and clicks are heard, in seconds, when each frame is shown, and where the sound begins."""

    flashes_s: NDArray[np.float64]
    clicks_s: NDArray[np.float64]
    frames_s: NDArray[np.float64]
    sound_s: float = 0.0

    @property
    def counted(self) -> "Events":
        """The same to a reader that looks at no time stamps: both tracks begin at once."""
        return Events(self.flashes_s, self.clicks_s - self.sound_s, self.frames_s)


def make(film: Film, folder: Path) -> Path:
    """Write the film; GOPs of five seconds, B-frames where the codec has them.

    An edited film is the whole one cut at 0.41 s by copying, as phones and editors do: it begins between keyframes, and
    its edit list hides what lies before.
    """
    path = folder / f"{film.video}-{film.audio}-{'vfr' if film.vfr else 'cfr'}.{film.container}"
    if not path.exists():
        _encode(film, path)
    if not film.edited:
        return path
    cut = path.with_stem(f"{path.stem}-edited")
    # Older programs call FLAC in MP4 experimental.
    copied = ["-ss", "0.41", "-i", str(path), "-c", "copy", "-avoid_negative_ts", "disabled", "-strict", "-2", str(cut)]
    subprocess.run([ffmpeg_binary(), "-v", "error", "-y", *copied], check=True, timeout=60)
    return cut


def events(source: Path | bytes) -> Events:
    """Decode a whole film, times from its first frame as it is shown; a file without pictures has only clicks."""
    import av

    file: Any = io.BytesIO(source) if isinstance(source, bytes) else str(source)
    frames, luma, sound = list[float](), list[float](), list[tuple[float, NDArray[np.float32]]]()
    with av.open(file) as container:
        streams = [*container.streams.video[:1], *container.streams.audio[:1]]
        for packet in container.demux(streams):
            for frame in packet.decode():
                if frame.time is None:
                    continue
                if isinstance(frame, av.VideoFrame):
                    frames.append(float(frame.time))
                    luma.append(float(frame.to_ndarray(format="gray").mean()))
                else:
                    sound.append((float(frame.time), _mono(frame)))
        rate_hz = container.streams.audio[0].rate
    origin = min(frames) if frames else 0.0
    order = np.argsort(frames)
    times, bright = np.array(frames)[order] - origin, np.array(luma)[order]
    flashes = times[bright > (bright.min() + bright.max()) / 2] if len(times) else times
    return Events(
        flashes, np.array(list(_clicks(sound, rate_hz))) - origin, times, sound[0][0] - origin if sound else 0.0
    )


def offsets_ms(found: Events) -> dict[float, float]:
    """How much later each click is heard than its flash is seen, by the flash's time in seconds rounded to a frame."""
    out = {}
    for flash in found.flashes_s:
        if len(found.clicks_s):
            nearest = found.clicks_s[np.abs(found.clicks_s - flash).argmin()]
            if abs(nearest - flash) < 0.25:
                out[float(flash)] = 1000 * float(nearest - flash)
    return out


def shift_ms(found: Events, *, most_s: float = 4.0) -> float | None:
    """How much later clicks are heard than flashes are seen, whatever that is, from the pattern that both follow.

    None where fewer than two clicks have a flash at any one shift.
    """
    between = (found.clicks_s[None, :] - found.flashes_s[:, None]).ravel()
    between = between[np.abs(between) < most_s]
    if not len(between):
        return None
    meeting = [np.abs(between - one) < 0.02 for one in between]
    best = max(range(len(between)), key=lambda one: (meeting[one].sum(), -abs(between[one])))
    return None if meeting[best].sum() < 2 else 1000 * float(np.median(between[meeting[best]]))


def spans(duration_s: float, count: int, *, seed: int = 0) -> list[tuple[int, int]]:
    """Spans in microseconds: from the start, around five seconds where a keyframe is, to the end, and by chance."""
    whole = round(duration_s * 1e6)
    fixed = [(0, 2_000_000), (4_960_000, 6_500_000), (5_013_337, 7_000_001), (whole - 1_500_000, whole), (1, 1_200_000)]
    drawn = np.random.default_rng(seed).integers(0, whole - 2_100_000, max(0, count - len(fixed)))
    return [*fixed, *((int(start), int(start) + 2_000_000) for start in drawn)][:count]


def _encode(film: Film, path: Path) -> None:
    import av

    # Errors alone: SVT-AV1 has no other way to be told.
    os.environ.setdefault("SVT_LOG", "1")
    with _own_priority(), av.open(str(path), "w") as out:
        video = out.add_stream(film.video, rate=film.fps)
        video.width, video.height, video.pix_fmt = film.width_px, film.height_px, "yuv420p"
        video.codec_context.time_base = video.time_base = MILLI
        video.gop_size = 5 * film.fps
        video.options = _fast(film.video)
        sound = out.add_stream(film.audio, rate=RATE_HZ, layout="mono")
        sound.codec_context.format = {"flac": "s16", "libopus": "flt"}.get(film.audio, "fltp")
        if film.audio != "flac":
            sound.bit_rate = 128_000
        times = list(_times_ms(film))
        lit = _lit(len(times))
        grain = np.random.default_rng(3).normal(0, film.texture, (film.height_px, film.width_px))
        for number, at in enumerate(times):
            out.mux(video.encode(_picture(at, grain, lit=number in lit)))
        out.mux(video.encode(None))
        for piece in _pieces(_waveform([times[number] / 1000 for number in lit], film.seconds), sound):
            out.mux(sound.encode(piece))
        out.mux(sound.encode(None))


@contextmanager
def _own_priority() -> Iterator[None]:
    """Keep the thread's place among others: SVT-AV1, run as root, makes it and all it starts later real-time ones,
    before which everything else on the machine has to wait."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def _fast(codec: str) -> dict[str, str]:
    return {
        "libx264": {"preset": "veryfast", "bf": "3", "x264-params": "scenecut=0"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "0", "crf": "30", "b": "0"},
        "libsvtav1": {"preset": "12", "crf": "40", "svtav1-params": "scd=0"},
        "libaom-av1": {"cpu-used": "8", "usage": "realtime"},
    }.get(codec, {})


def _times_ms(film: Film) -> Iterator[int]:
    """When frames are shown; with a variable rate some last three times as long, as phones do in the dark."""
    at, number = 0, 0
    step = round(1000 / film.fps)
    while at < film.seconds * 1000:
        yield at
        number += 1
        at += step * (3 if film.vfr and number % 7 == 3 else 1) + (number % 3 if film.vfr else 0)


def _lit(frames: int) -> list[int]:
    """Frames that flash: never at equal distances, so that no shift of the clicks looks like another."""
    gaps = np.random.default_rng(7).permutation(np.arange(9, 26))
    return [int(at) for at in 9 + np.concatenate([[0], np.cumsum(np.resize(gaps, frames))]) if at < frames]


def _picture(at_ms: int, grain: NDArray[np.float64], *, lit: bool) -> Any:
    import av

    step = at_ms // 40
    image = ((235 if lit else 40) + np.roll(grain, step, axis=1)).clip(16, 235).astype(np.uint8)
    # A little movement, so that the codec has something to predict.
    image[8:16, step % 80 : step % 80 + 8] = 120
    frame = av.VideoFrame.from_ndarray(np.repeat(image[..., None], 3, axis=2), "rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = at_ms, MILLI
    return frame


def _click() -> NDArray[np.float32]:
    time = np.arange(round(CLICK_S * RATE_HZ)) / RATE_HZ
    return (np.sin(2 * np.pi * CLICK_HZ * time) * np.exp(-time * 900)).astype(np.float32)


def _waveform(at_s: Sequence[float], seconds: float) -> NDArray[np.float32]:
    wave = np.random.default_rng(0).normal(0, 1e-4, round((seconds + 0.5) * RATE_HZ)).astype(np.float32)
    for one in at_s:
        first = round(one * RATE_HZ)
        wave[first : first + len(_click())] += 0.8 * _click()
    return wave[: round(seconds * RATE_HZ)]


def _pieces(wave: NDArray[np.float32], stream: Any) -> Iterator[Any]:
    import av

    form = stream.codec_context.format.name
    data = (wave * 32767).astype(np.int16) if form == "s16" else wave
    frame = av.AudioFrame.from_ndarray(data[None], format=form, layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
    resampler = av.AudioResampler(form, "mono", RATE_HZ, frame_size=stream.codec_context.frame_size or 4096)
    return iter([*resampler.resample(frame), *resampler.resample(None)])


def _mono(frame: Any) -> NDArray[np.float32]:
    array = frame.to_ndarray()
    channels = len(frame.layout.channels)
    if not frame.format.is_planar:
        array = array.reshape(-1, channels).T
    scale = np.iinfo(array.dtype).max if array.dtype.kind == "i" else 1.0
    return np.asarray(array.astype(np.float32).mean(axis=0) / scale, np.float32)


def _clicks(sound: list[tuple[float, NDArray[np.float32]]], rate_hz: int) -> Iterator[float]:
    """Instants of clicks by matched filter, finer than a sample (parabola through the peak)."""
    if not sound:
        return
    start = sound[0][0]
    end = max(at + len(wave) / rate_hz for at, wave in sound)
    track = np.zeros(round((end - start) * rate_hz) + 1, np.float32)
    for at, wave in sound:
        first = round((at - start) * rate_hz)
        track[first : first + len(wave)] = wave[: len(track) - first]
    likeness = np.correlate(track, _click(), mode="full")[len(_click()) - 1 :]
    least = 0.4 * likeness.max()
    if least < 1e-2:
        return
    while (peak := int(likeness.argmax())) >= 0 and likeness[peak] >= least:
        yield start + (peak + _parabola(likeness, peak)) / rate_hz
        likeness[max(0, peak - rate_hz // 20) : peak + rate_hz // 20] = 0


def _parabola(curve: NDArray[np.float32], peak: int) -> float:
    if not 0 < peak < len(curve) - 1:
        return 0.0
    before, here, after = (float(curve[peak + step]) for step in (-1, 0, 1))
    bend = before - 2 * here + after
    return 0.5 * (before - after) / bend if bend else 0.0
