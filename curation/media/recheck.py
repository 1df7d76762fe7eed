"""Look at a published clip with fresh eyes: does it still hold what its record says, and are its two sounds one?"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.media.missing import standing_us
from shards.downmix import Downmix
from shards.schema import Record

ALLOWED_MS = 1.0
"""Largest shift between the MP4's sound and the FLAC's: the promise of the cut."""

SEARCHED_MS = 100
"""So far apart they are looked for; AAC's priming, the usual culprit, is some 20 ms."""

SLACK_US = 100_000
"""So much more may stand still, or be less silent, than the record tells: steps are rounded, and seldom even [ours]."""

QUIET = 1e-3
"""Below this peak there is nothing to compare [ours]."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """One sound track: (samples,) mono, its rate, and the time stamp of its first sample in seconds."""

    wave: NDArray[np.float32]
    rate_hz: int
    begins_s: float


def recheck(clip: Record) -> list[str]:
    """Decode a clip and return what is wrong with it, a sentence each; empty when nothing is."""
    import av

    meta = clip.meta
    try:
        times_s, size, mp4 = _decoded(clip.mp4)
        _, _, flac = _decoded(clip.flac)
    except (av.FFmpegError, ValueError, IndexError) as error:
        return [f"it cannot be decoded: {error}"]
    if mp4 is None or flac is None:
        return ["it has no sound"]
    faults = []
    if len(times_s) != meta["frames"]:
        faults.append(f"{len(times_s)} frames instead of {meta['frames']}")
    if size != (meta["width_px"], meta["height_px"]):
        faults.append(f"{size[0]}x{size[1]} pixels instead of {meta['width_px']}x{meta['height_px']}")
    if not times_s or times_s[0] != 0 or any(after <= one for one, after in pairwise(times_s)):
        faults.append("its frames do not begin at zero, or do not follow each other")
    if {mp4.rate_hz, flac.rate_hz} != {meta["rate_hz"]}:
        faults.append(f"sound of {mp4.rate_hz} and {flac.rate_hz} Hz instead of {meta['rate_hz']}")
    if abs(mp4.begins_s) * 1000 > ALLOWED_MS:
        faults.append(f"its sound begins {1000 * mp4.begins_s:.2f} ms off its picture")
    longest_s, length_s = (meta["end_us"] - meta["start_us"]) / 1e6, len(flac.wave) / flac.rate_hz
    if not (times_s or [0])[-1] < length_s <= longest_s + 1.5 / flac.rate_hz:
        faults.append(f"{length_s:.3f} s of sound for {longest_s:.3f} s")
    return faults or [*_apart(mp4, flac), *_untold(meta.get("lineage", {}), np.array([*times_s, length_s]), flac)]


def _untold(lineage: Mapping[str, Any], times_s: NDArray[np.float64], flac: _Heard) -> list[str]:
    """What is missing of a clip and its record does not tell, or the other way round."""
    faults = []
    steps_us = np.rint(np.diff(times_s) * 1e6).astype(np.int64)
    still_us = int(standing_us(steps_us, int(np.median(steps_us))).sum())
    if still_us > lineage.get("frozen_us", 0) + SLACK_US:
        faults.append(f"its picture stands still for {still_us / 1e6:.2f} s, and its record tells less")
    silent_us, told_us = int((flac.wave == 0).sum() * 1e6 / flac.rate_hz), lineage.get("silent_us", 0)
    if silent_us + SLACK_US < told_us:
        faults.append(f"its record tells of {told_us / 1e6:.2f} s without sound, not {silent_us / 1e6:.2f} s")
    return faults


def _decoded(data: bytes) -> tuple[list[float], tuple[int, int], _Heard | None]:
    """Frame times in seconds, the picture's size, and the sound as a player hears it."""
    import av

    times, pieces, size, rate_hz, begins_s = list[float](), list[NDArray[np.float32]](), (0, 0), 0, 0.0
    mix: Downmix | None = None
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(*[*container.streams.video[:1], *container.streams.audio[:1]]):
            if isinstance(frame, av.VideoFrame):
                times.append(float(frame.time))
                size = (frame.width, frame.height)
                continue
            if mix is None:
                begins_s, rate_hz = float(frame.time or 0), frame.sample_rate
                mix = Downmix(rate_hz=rate_hz, sample_format="fltp")
            pieces += mix.put(frame)
    pieces += mix.rest() if mix else []
    return times, size, _Heard(np.concatenate(pieces, axis=1)[0], rate_hz, begins_s) if pieces else None


def _apart(one: _Heard, other: _Heard) -> list[str]:
    """Whether two tracks of one sound lie apart: the peak of their cross-correlation, by FFT."""
    if min(np.abs(one.wave).max(), np.abs(other.wave).max()) < QUIET:
        return []
    length = 1 << (len(one.wave) + len(other.wave)).bit_length()
    spectrum = np.fft.rfft(one.wave, length) * np.conj(np.fft.rfft(other.wave, length))
    likeness = np.fft.irfft(spectrum, length)
    reach = one.rate_hz * SEARCHED_MS // 1000
    near = np.concatenate([likeness[-reach:], likeness[: reach + 1]])
    shift_ms = 1000 * (int(near.argmax()) - reach) / one.rate_hz
    return [f"the sound of the MP4 lies {shift_ms:.2f} ms off the FLAC's"] if abs(shift_ms) > ALLOWED_MS else []
