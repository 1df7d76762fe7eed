"""What strikes sound like: small recipes with a sharp onset at sample 0 [ours].

Every maker returns (samples,) float32 whose attack is over within a millisecond. `normalised` brings a sum of them to
peak 1; the sound track scales it by the strike's strength.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

Wave = NDArray[np.float32]

TOP_SHARE = 0.45
"""Nothing is made above this share of the sample rate: low rates lose their treble, as in a recording."""


def partials(frequencies_hz: Sequence[float], decays_s: Sequence[float], *, length_s: float, rate_hz: int) -> Wave:
    """Decaying sine waves: metal, bells, wood. Higher partials are weaker by 1 / sqrt(order).

    A partial that the sample rate cannot hold is left out.
    """
    time = np.arange(round(length_s * rate_hz)) / rate_hz
    wave = np.zeros(len(time))
    for order, (frequency, decay) in enumerate(zip(frequencies_hz, decays_s, strict=True), start=1):
        if frequency < TOP_SHARE * rate_hz:
            wave += np.exp(-time / decay) * np.cos(2 * np.pi * frequency * time) / np.sqrt(order)
    return _close(wave)


def sweep(from_hz: float, to_hz: float, *, fall_s: float, decay_s: float, length_s: float, rate_hz: int) -> Wave:
    """A tone that falls from one frequency to another: skins, rubber, hollow bodies."""
    time = np.arange(round(length_s * rate_hz)) / rate_hz
    phase = 2 * np.pi * (to_hz * time + (from_hz - to_hz) * fall_s * (1 - np.exp(-time / fall_s)))
    return _close(np.exp(-time / decay_s) * np.cos(phase))


def burst(
    random: np.random.Generator, band_hz: tuple[float, float], *, decay_s: float, length_s: float, rate_hz: int
) -> Wave:
    """Decaying noise within a frequency band (its top at most `TOP_SHARE` of the rate): cracks, slaps, hiss."""
    noise = random.standard_normal(round(length_s * rate_hz))
    shaped = sosfilt(_bandpass(band_hz[0], min(band_hz[1], TOP_SHARE * rate_hz), rate_hz), noise)
    time = np.arange(len(noise)) / rate_hz
    return _close(shaped / np.abs(shaped).max() * np.exp(-time / decay_s))


def room_noise(random: np.random.Generator, samples: int, *, rate_hz: int) -> Wave:
    """Steady noise with more bass than treble, of root mean square 1."""
    noise = sosfilt(butter(1, 900, "lowpass", fs=rate_hz, output="sos"), random.standard_normal(samples))
    noise += 0.15 * random.standard_normal(samples)
    even: Wave = (noise / np.sqrt(np.mean(noise**2))).astype(np.float32)
    return even


def normalised(*parts: Wave) -> Wave:
    """The sum of the parts, the shorter ones ending early, at peak 1."""
    total = np.zeros(max(len(part) for part in parts), np.float32)
    for part in parts:
        total[: len(part)] += part
    total /= np.abs(total).max()
    return total


@lru_cache(maxsize=64)
def _bandpass(low_hz: float, high_hz: float, rate_hz: int) -> NDArray[np.float64]:
    """Second-order sections of a band-pass filter; designing one takes longer than using it."""
    sections: NDArray[np.float64] = butter(2, (low_hz, high_hz), "bandpass", fs=rate_hz, output="sos")
    return sections


def _close(wave: NDArray[np.float64]) -> Wave:
    """Fade the last tenth out, so that no click ends the sound."""
    tail = max(len(wave) // 10, 1)
    wave[-tail:] *= np.linspace(1, 0, tail)
    return wave.astype(np.float32)
