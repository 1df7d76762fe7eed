"""How much the sound changes and how much the picture moves, as two curves on one 100 Hz clock.

A change of the sound is the rise of its cube-root mel spectrum (an impact excites many bands at once) plus half the
change of its loudness in either direction (what sounds while it moves). The cube root is the ear's loudness: a
logarithm would let a whisper after silence outweigh every later blow.
"""

import numpy as np
from numpy.typing import NDArray

from curation.media.timeline import Window
from shards.synchrony.features import LOUDNESS_POWER, SOUND_HZ, mel_power

CLOCK_HZ = SOUND_HZ
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
