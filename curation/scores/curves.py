"""How much the sound changes and how much the picture moves, as two curves on one 100 Hz clock.

A change of the sound is the rise of its cube-root mel spectrum (an impact excites many bands at once) plus half the
change of its loudness in either direction (what sounds while it moves). The cube root is the ear's loudness: a
logarithm would let a whisper after silence outweigh every later blow.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.media.timeline import Window

CLOCK_HZ = 100
MEL_BANDS = 40
FFT_S = 0.032
LOUDNESS_POWER = 1 / 3
"""The ear's loudness; a logarithm would let a whisper after silence outweigh every later blow."""

FLOOR_POWER = 0.01
"""Mel power of a noise of about -50 dBFS; what is fainter does not count as sound."""

SMOOTHING_S = 0.04
LOUDNESS_SHARE = 0.5
ENVELOPE_S = 0.02
Curve = NDArray[np.float64]


def motion_and_sound(window: Window) -> tuple[Curve, Curve]:
    """(ticks,) motion energy and (ticks,) strength of the sound's changes of a window, both smoothed over 40 ms."""
    line = window.timeline
    changes = sound_strength(window.sound(), line.rate_hz)
    part = window.frames()
    motion = motion_strength(line.motion[part], line.frame_us[part], window.start_us, len(changes))
    return smoothed(motion, SMOOTHING_S), smoothed(changes, SMOOTHING_S)


def sound_strength(waveform: NDArray[np.float32], rate_hz: int) -> Curve:
    """(ticks,) how much the sound changes in each 10 ms: rising loudness by band, plus half the change of all of it."""
    power = mel_power(waveform, rate_hz)
    loudness = power**LOUDNESS_POWER
    onsets = np.pad(np.maximum(np.diff(loudness, axis=0), 0).mean(axis=1), (1, 0))
    envelope = smoothed(power.sum(axis=1) ** LOUDNESS_POWER, ENVELOPE_S)
    change = np.pad(np.abs(np.diff(envelope)), (1, 0))
    return _scaled(onsets) + LOUDNESS_SHARE * _scaled(change)


def motion_strength(motion: NDArray[np.float32], frame_us: NDArray[np.int64], start_us: int, ticks: int) -> Curve:
    """(ticks,) motion energy on the 100 Hz clock; a frame's motion happened between it and the frame before."""
    if len(motion) < 2:
        return np.zeros(ticks)
    middle_us = (frame_us - np.diff(frame_us, prepend=frame_us[0]) / 2).astype(np.float64)
    # Tick k of the sound is the change between the spectra centred on k - 1 and k.
    return np.interp(start_us + (np.arange(ticks) - 0.5) * 1e6 / CLOCK_HZ, middle_us, motion)


def smoothed(curve: Curve, width_s: float) -> Curve:
    """The curve under a Gaussian of that width."""
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(curve, width_s * CLOCK_HZ)) if len(curve) else curve


def _scaled(curve: Curve) -> Curve:
    spread = curve.std() if len(curve) else 0.0
    return curve / spread if spread > 1e-9 else np.zeros_like(curve)


def mel_power(waveform: NDArray[np.float32], rate_hz: int) -> Curve:
    """(ticks, 40) mel power above the floor; tick k is centred on sample k x rate / 100."""
    hop, size = rate_hz // CLOCK_HZ, round(FFT_S * rate_hz)
    padded = np.pad(waveform.astype(np.float64), (size // 2, size))
    ticks = len(waveform) // hop
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[: ticks * hop : hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2
    return np.asarray(np.maximum((_mel_bands(rate_hz, size) @ power.T).T - FLOOR_POWER, 0))


@cache
def _mel_bands(rate_hz: int, size: int) -> Any:
    """(bands, bins) triangular filters, evenly spaced on the mel scale up to half the rate.

    Sparse, as two bands in forty share a bin; and BLAS would call upon all cores for it, which the decoders need.
    """
    from scipy.sparse import csr_array

    top = 2595 * np.log10(1 + rate_hz / 2 / 700)
    edges_hz = 700 * (10 ** (np.linspace(0, top, MEL_BANDS + 2) / 2595) - 1)
    bins_hz = np.fft.rfftfreq(size, 1 / rate_hz)
    rising = (bins_hz - edges_hz[:-2, None]) / np.diff(edges_hz)[:-1, None]
    falling = (edges_hz[2:, None] - bins_hz) / np.diff(edges_hz)[1:, None]
    return csr_array(np.maximum(0, np.minimum(rising, falling)))
