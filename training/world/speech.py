"""A narrator: speech-like sound that no picture event causes.

Glottal pulses at a wandering pitch pass through three formant resonators; syllables come at an irregular rate near
4 Hz, the rate of human speech, in phrases with pauses [ours: classic source-filter synthesis].
"""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from training.world.events import chance_agreement, generator, pulse_curve
from training.world.sounds import Wave

VOWELS_HZ = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
SYLLABLE_S = (0.17, 0.34)
PAUSE_S = (0.35, 0.6)
GRID_HZ = 24
CANDIDATES = 192


def narrate(
    seed: int, *, duration_s: float, rate_hz: int, unlike: NDArray[np.float64]
) -> tuple[Wave, NDArray[np.float64]]:
    """A voice over the whole film.

    Args:
        seed: decides everything.
        duration_s: length of the sound.
        rate_hz: sample rate.
        unlike: picture events with which the syllables must not agree at any offset up to a second.

    Returns:
        (samples,) float32 at peak 1, and (syllables,) the times in seconds at which syllables begin.
    """
    random = generator(seed, "speech")
    seen = pulse_curve(unlike, duration_s=duration_s, fps=GRID_HZ)
    candidates = [_syllables(random, duration_s) for _ in range(CANDIDATES)]
    curves = [pulse_curve(times, duration_s=duration_s, fps=GRID_HZ) for times in candidates]
    starts = candidates[int(np.argmin([chance_agreement(seen, curve, fps=GRID_HZ) for curve in curves]))]
    voice = np.zeros(round(duration_s * rate_hz))
    for start, end in zip(starts, np.append(starts[1:], duration_s), strict=True):
        syllable = _syllable(random, min(end - start, 0.3), rate_hz)
        first = round(start * rate_hz)
        syllable = syllable[: len(voice) - first]
        voice[first : first + len(syllable)] += syllable
    return (voice / np.abs(voice).max()).astype(np.float32), starts


def _syllables(random: np.random.Generator, duration_s: float) -> NDArray[np.float64]:
    """(syllables,) start times: phrases of four to nine syllables, then a pause."""
    times: list[float] = []
    now = float(random.uniform(0.02, 0.2))
    while True:
        for _ in range(int(random.integers(4, 10))):
            if now > duration_s - 0.12:
                return np.array(times)
            times.append(now)
            now += float(random.uniform(*SYLLABLE_S))
        now += float(random.uniform(*PAUSE_S))


def _syllable(random: np.random.Generator, length_s: float, rate_hz: int) -> NDArray[np.float64]:
    """(samples,) one voiced syllable with a breath of consonant noise before the vowel."""
    time = np.arange(round(length_s * rate_hz)) / rate_hz
    pitch_hz = random.uniform(105, 150) * (1 - 0.25 * time / length_s)
    cycles = np.cumsum(pitch_hz) / rate_hz
    pulses = np.diff(np.floor(cycles), prepend=0.0)
    sound = pulses + 0.004 * random.standard_normal(len(time))
    for formant_hz, width_hz in zip(random.choice(np.array(VOWELS_HZ)), (90, 110, 170), strict=True):
        radius = np.exp(-np.pi * width_hz / rate_hz)
        angle = 2 * np.pi * formant_hz / rate_hz
        sound = lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], sound)
    envelope = np.minimum(time / 0.045, 1.0) * np.clip((length_s - time) / 0.08, 0.0, 1.0)
    consonant = random.standard_normal(len(time)) * np.exp(-time / 0.02) * random.uniform(0.0, 0.12)
    voiced: NDArray[np.float64] = envelope * (sound / np.abs(sound).max()) * random.uniform(0.55, 1.0) + consonant
    return voiced
