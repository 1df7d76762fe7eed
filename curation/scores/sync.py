"""Do sound and motion happen together, and if not, how far apart are they? A signal score without weights [ours].

How much the sound changes and how much the picture moves are put on one 100 Hz clock, smoothed over 40 ms, and
correlated at every lag within a second. A change of the sound is the rise of its cube-root mel spectrum (an impact
excites many bands at once) plus half the change of its loudness in either direction (what sounds while it moves). The
cube root is the ear's loudness: a logarithm would let a whisper after silence outweigh every later blow. Events at
irregular times agree at one lag only, so the best lag is the offset, and how clearly it stands out is the confidence.
Regular beats agree at many lags, and steady sound at none: both lower the confidence, as they should.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from curation.media.timeline import Window
from curation.scores.base import Columns, Need

CLOCK_HZ = 100
MAX_LAG_S = 1.0
SMOOTHING_S = 0.04
NEAR_ZERO_S = 0.06
PEAK_WIDTH_S = 0.1
TEMPERATURE = 0.06
MEL_BANDS = 40
FFT_S = 0.032
LOUDNESS_POWER = 1 / 3
LOUDNESS_SHARE = 0.5
ENVELOPE_S = 0.02
FLOOR_POWER = 0.01
"""Mel power of a noise of about -50 dBFS; what is fainter does not count as sound."""
CUE_PROMINENCE = 1.0

Curve = NDArray[np.float64]


class SyncScore:
    """Cross-correlation of onsets and motion over +-1 s.

    `sync`: correlation at the best lag. `sync_at_zero`: best correlation within 60 ms of no offset. `offset_s`: the
    best lag, positive when the sound is late. `sync_confidence`: posterior mass within 100 ms of the best lag,
    softmax of the correlations. `cues`: onsets a second that stand out.
    """

    name = "sync"
    version = 2
    needs = frozenset({Need.CURVES, Need.WAVEFORM})
    columns = ("sync", "sync_at_zero", "offset_s", "sync_confidence", "cues")

    def check(self) -> None:
        """Always available."""

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window."""
        return [_measure(window) for window in batch]


def sound_strength(waveform: NDArray[np.float32], rate_hz: int) -> Curve:
    """(ticks,) how much the sound changes in each 10 ms: rising loudness by band, plus half the change of all of it."""
    power = _mel_power(waveform, rate_hz)
    loudness = power**LOUDNESS_POWER
    onsets = np.pad(np.maximum(np.diff(loudness, axis=0), 0).mean(axis=1), (1, 0))
    envelope = _smooth(power.sum(axis=1) ** LOUDNESS_POWER, ENVELOPE_S)
    change = np.pad(np.abs(np.diff(envelope)), (1, 0))
    return _scaled(onsets) + LOUDNESS_SHARE * _scaled(change)


def motion_strength(motion: NDArray[np.float32], frame_us: NDArray[np.int64], start_us: int, ticks: int) -> Curve:
    """(ticks,) motion energy on the 100 Hz clock; a frame's motion happened between it and the frame before."""
    if len(motion) < 2:
        return np.zeros(ticks)
    middle_us = (frame_us - np.diff(frame_us, prepend=frame_us[0]) / 2).astype(np.float64)
    # Tick k of the sound is the change between the spectra centred on k - 1 and k.
    return np.interp(start_us + (np.arange(ticks) - 0.5) * 1e6 / CLOCK_HZ, middle_us, motion)


def correlations(motion: Curve, onsets: Curve) -> tuple[Curve, Curve]:
    """Pearson correlation of motion(t) and onsets(t + lag) for every lag within a second: (lags_s, values).

    A lag with less than half of the span in common, or nothing that varies, has no correlation: 0.
    """
    reach = min(round(MAX_LAG_S * CLOCK_HZ), len(motion) // 2)
    lags = np.arange(-reach, reach + 1)
    values = [_pearson(*_overlap(motion, onsets, int(lag))) for lag in lags]
    return lags / CLOCK_HZ, np.array(values)


def _measure(window: Window) -> Columns:
    line = window.timeline
    changes = sound_strength(window.sound(), line.rate_hz)
    part = window.frames()
    motion = motion_strength(line.motion[part], line.frame_us[part], window.start_us, len(changes))
    lags_s, values = correlations(_smooth(motion, SMOOTHING_S), _smooth(changes, SMOOTHING_S))
    if values.max() <= 0:
        return {"sync": 0.0, "sync_at_zero": 0.0, "offset_s": 0.0, "sync_confidence": 0.0, "cues": _cues(changes)}
    best = int(values.argmax())
    posterior = np.exp((values - values[best]) / TEMPERATURE)
    near_best = np.abs(lags_s - lags_s[best]) <= PEAK_WIDTH_S
    return {
        "sync": float(values[best]),
        "sync_at_zero": float(max(values[np.abs(lags_s) <= NEAR_ZERO_S].max(), 0)),
        "offset_s": _refine(lags_s, values, best),
        "sync_confidence": float(posterior[near_best].sum() / posterior.sum()),
        "cues": _cues(changes),
    }


def _smooth(curve: Curve, width_s: float) -> Curve:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(curve, width_s * CLOCK_HZ)) if len(curve) else curve


def _scaled(curve: Curve) -> Curve:
    spread = curve.std() if len(curve) else 0.0
    return curve / spread if spread > 1e-9 else np.zeros_like(curve)


def _overlap(motion: Curve, onsets: Curve, lag: int) -> tuple[Curve, Curve]:
    """What the two curves have in common when the sound is `lag` ticks late."""
    if lag >= 0:
        return motion[: len(motion) - lag], onsets[lag:]
    return motion[-lag:], onsets[:lag]


def _pearson(one: Curve, other: Curve) -> float:
    one, other = one - one.mean(), other - other.mean()
    scale = np.sqrt((one**2).sum() * (other**2).sum())
    return float((one * other).sum() / scale) if scale > 1e-12 else 0.0


def _refine(lags_s: Curve, values: Curve, best: int) -> float:
    """The vertex of the parabola through the best lag and its neighbours."""
    if not 0 < best < len(values) - 1:
        return float(lags_s[best])
    before, here, after = values[best - 1 : best + 2]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(lags_s[best] + shift / CLOCK_HZ)


def _cues(changes: Curve) -> float:
    """Onsets a second that rise clearly above the rest."""
    from scipy.signal import find_peaks

    curve = _smooth(changes, SMOOTHING_S)
    peaks, _ = find_peaks(curve, prominence=max(CUE_PROMINENCE * float(curve.std()), 1e-3))
    return len(peaks) * CLOCK_HZ / max(len(changes), 1)


def _mel_power(waveform: NDArray[np.float32], rate_hz: int) -> Curve:
    """(ticks, bands) mel power above the floor; tick k is centred on sample k x rate / 100."""
    hop, size = rate_hz // CLOCK_HZ, round(FFT_S * rate_hz)
    padded = np.pad(waveform.astype(np.float64), (size // 2, size))
    ticks = len(waveform) // hop
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[: ticks * hop : hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2
    return np.asarray(np.maximum(power @ _mel_bands(rate_hz, size).T - FLOOR_POWER, 0))


@cache
def _mel_bands(rate_hz: int, size: int) -> Curve:
    """(bands, bins) triangular filters, evenly spaced on the mel scale up to half the rate."""
    top = 2595 * np.log10(1 + rate_hz / 2 / 700)
    edges_hz = 700 * (10 ** (np.linspace(0, top, MEL_BANDS + 2) / 2595) - 1)
    bins_hz = np.fft.rfftfreq(size, 1 / rate_hz)
    rising = (bins_hz - edges_hz[:-2, None]) / np.diff(edges_hz)[:-1, None]
    falling = (edges_hz[2:, None] - bins_hz) / np.diff(edges_hz)[1:, None]
    return np.asarray(np.maximum(0, np.minimum(rising, falling)))
