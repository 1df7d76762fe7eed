"""Does the picture account for the sound? Added music and narration are the main noise of web video [ours].

Two signal measures without weights. What sounds while nothing moves came from elsewhere. And what holds its tones and
its loudness is added music, or machinery; what is struck rings too, but dies away. Tones are told from noise and blows
by harmonic-percussive separation with median filters (Fitzgerald, "Harmonic/Percussive Separation Using Median
Filtering", 2010).
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from curation.media.timeline import Window
from curation.scores.base import Columns, Evidence, Need
from curation.scores.curves import CLOCK_HZ, Curve, motion_and_sound

NEAR_S = 0.06
"""A sound is accounted for by motion this close: impacts swing before and ring after."""

CLEAR_MOTION = 0.8
"""Motion counts in full from this share of the window's own strong motion (its 95th percentile)."""

STILL = 0.002
"""Mean luma difference below which nothing moves but noise."""

FFT_S, HOP_S = 0.064, 0.02
ALONG_S, ACROSS_HZ = 0.3, 250.0
SILENT_POWER = 1e-6


class DiegesisScore:
    """`unexplained_sound`: share of the sound's changes with no clear motion within 0.06 s. `steady_tone`: share of the
    sound's energy that holds its tone, times the median of its loudness over its 95th percentile. Both in [0, 1], NaN
    where there is no sound."""

    name = "diegesis"
    version = 1
    settings = ""
    needs = frozenset({Need.CURVES, Need.WAVEFORM})
    columns = ("unexplained_sound", "steady_tone")
    evidence = Evidence.SYNCHRONY
    trends: ClassVar[Mapping[str, int]] = {"unexplained_sound": -1}

    def check(self) -> None:
        """Always available."""

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window."""
        return [
            {
                "unexplained_sound": unexplained(*motion_and_sound(window)),
                "steady_tone": steady_tone(window.sound(), window.timeline.rate_hz),
            }
            for window in batch
        ]


def unexplained(motion: Curve, changes: Curve) -> float:
    """Share of the sound's changes, each counted by its strength, with no motion near, from two (ticks,) curves."""
    from scipy.ndimage import maximum_filter1d

    strength = np.maximum(changes - np.median(changes), 0) if len(changes) else changes
    if strength.sum() < 1e-6:
        return float("nan")
    near = maximum_filter1d(motion, 2 * round(NEAR_S * CLOCK_HZ) + 1)
    strong = max(float(np.quantile(motion, 0.95)), STILL)
    accounted = np.minimum(np.maximum(near - STILL, 0) / (CLEAR_MOTION * strong), 1)
    return float(1 - (strength * accounted).sum() / strength.sum())


def steady_tone(waveform: NDArray[np.float32], rate_hz: int) -> float:
    """How much of a (samples,) sound is held tones of even loudness."""
    power = _spectrogram(waveform, rate_hz)
    if not power.size or power.max() < SILENT_POWER:
        return float("nan")
    loudness = np.sqrt(power.sum(axis=1))
    return harmonic_share(power) * float(np.median(loudness) / max(float(np.quantile(loudness, 0.95)), 1e-9))


def harmonic_share(power: Curve) -> float:
    """Energy of what is steady over time in a (frames, bins) power spectrogram, as a share of all."""
    from scipy.ndimage import median_filter

    along = max(3, round(ALONG_S / HOP_S) | 1)
    across = max(3, round(ACROSS_HZ * FFT_S) | 1)
    steady = median_filter(power, size=(along, 1)) ** 2
    spread = median_filter(power, size=(1, across)) ** 2
    # Soft masks, as in the paper's equation 5.
    share = steady / np.maximum(steady + spread, 1e-18)
    return float((share * power).sum() / power.sum())


def _spectrogram(waveform: NDArray[np.float32], rate_hz: int) -> Curve:
    """(frames, bins) power."""
    size, hop = round(FFT_S * rate_hz), round(HOP_S * rate_hz)
    if len(waveform) < size:
        return np.zeros((0, 0))
    frames = np.lib.stride_tricks.sliding_window_view(waveform.astype(np.float64), size)[::hop]
    return np.asarray(np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2)
