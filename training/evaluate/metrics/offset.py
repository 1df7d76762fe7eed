"""By how much does the sound seem late? The lag at which motion and onsets agree best [ours].

Motion is the mean change of luma from frame to frame, onsets are rises of the cube-root spectrum; both on a clock of
100 Hz, smoothed over 40 ms. Half of the film's own length either way is looked at, a second at most. The value is the
size of that lag: 0 where picture and sound are one, half a second or so by chance.
"""

import numpy as np
from numpy.typing import NDArray

from training.evaluate.films import EvaluatedClip, Frames, Wave

CLOCK_HZ = 100
REACH_S = 1.0
_FFT_S = 0.032
_SMOOTHING_TICKS = 4.0
_LUMA = np.array((0.299, 0.587, 0.114), np.float32) / 255

Curve = NDArray[np.float64]


class OffsetError:
    """|offset| in seconds; NaN where nothing moves or nothing sounds."""

    name = "offset_error_s"
    higher_is_better = False
    hears = sees = True
    protocol = "size of the lag, 1 s at most, where mean luma change and spectral rises correlate best, 100 Hz, 40 ms"

    def check(self) -> None:
        """Always available."""

    def value(self, clip: EvaluatedClip, truth: EvaluatedClip) -> float:  # noqa: ARG002
        """Of one clip."""
        return abs(offset_s(clip.frames, clip.fps, clip.waveform, clip.rate_hz))


def offset_s(frames: Frames, fps: float, waveform: Wave, rate_hz: int) -> float:
    """How late the sound is in seconds, negative where it is early; NaN where nothing moves or nothing sounds."""
    ticks = round(len(frames) / fps * CLOCK_HZ)
    seen, heard = motion_curve(frames, fps, ticks), onset_curve(waveform, rate_hz, ticks)
    reach = min(round(REACH_S * CLOCK_HZ), ticks // 2)
    if reach < 1 or not (seen.std() > 1e-9 and heard.std() > 1e-9):
        return float("nan")
    lags = np.arange(-reach, reach + 1)
    # Of lags that agree alike the smallest is meant: the order they are asked in.
    ordered = lags[np.argsort(np.abs(lags), kind="stable")]
    agreed = [
        _correlation(seen[max(-lag, 0) : ticks - max(lag, 0)], heard[max(lag, 0) : ticks - max(-lag, 0)])
        for lag in ordered
    ]
    return float(ordered[int(np.argmax(agreed))] / CLOCK_HZ)


def motion_curve(frames: Frames, fps: float, ticks: int) -> Curve:
    """(ticks,) mean change of luma; what a frame changes is seen as it is shown."""
    luma = frames.astype(np.float32) @ _LUMA
    change = np.abs(np.diff(luma, axis=0, prepend=luma[:1])).mean(axis=(1, 2))
    change[:1] = change[1:2]
    return _smooth(np.interp(np.arange(ticks) / CLOCK_HZ, np.arange(len(change)) / fps, change))


def onset_curve(waveform: Wave, rate_hz: int, ticks: int) -> Curve:
    """(ticks,) rises of the cube root of the power, mean over all frequencies."""
    hop, size = rate_hz // CLOCK_HZ, round(_FFT_S * rate_hz)
    padded = np.pad(waveform.astype(np.float64), (size // 2, size + ticks * hop))
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)[: ticks * hop : hop]
    loud = np.abs(np.fft.rfft(windows * np.hanning(size), axis=1)) ** (2 / 3)
    return _smooth(np.maximum(np.diff(loud, axis=0, prepend=loud[:1]), 0).mean(axis=1))


def _smooth(curve: Curve) -> Curve:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(curve, _SMOOTHING_TICKS), np.float64)


def _correlation(first: Curve, second: Curve) -> float:
    first, second = first - first.mean(), second - second.mean()
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / size if size > 1e-12 else 0.0
