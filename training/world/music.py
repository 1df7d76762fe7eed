"""Music that is laid over a film: chords in a steady beat, at no time that the picture knows of [ours]."""

import numpy as np

from training.world.events import generator
from training.world.sounds import Wave, burst, partials, sweep

BEATS_A_MINUTE = (84, 144)
_CHORDS = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))
"""Semitones above the key: the four chords of half of all songs."""
_LOWEST_HZ = 196.0
_BEATS_A_CHORD = 4
_LEVELS = {"drum": 0.8, "hat": 0.25, "chord": 0.12}


def play_music(seed: int, *, duration_s: float, rate_hz: int) -> Wave:
    """(samples,) at peak 1; begins in the middle of a bar."""
    random = generator(seed, "music")
    beat_s = 60.0 / random.uniform(*BEATS_A_MINUTE)
    key_hz = _LOWEST_HZ * 2 ** (random.integers(12) / 12)
    samples = round(duration_s * rate_hz)
    track = np.zeros(samples, np.float32)
    for number in range(int(duration_s / beat_s) + 2):
        at = round((number - random.uniform() * (number == 0)) * beat_s * rate_hz)
        drum = sweep(140, 50, fall_s=0.03, decay_s=0.09, length_s=0.3, rate_hz=rate_hz)
        _lay(track, _LEVELS["drum"] * drum, at)
        hat = burst(random, (4000, 12_000), decay_s=0.02, length_s=0.08, rate_hz=rate_hz)
        _lay(track, _LEVELS["hat"] * hat, at + round(beat_s / 2 * rate_hz))
        chord = _CHORDS[number // _BEATS_A_CHORD % len(_CHORDS)]
        for semitones in chord:
            tone = key_hz * 2 ** (semitones / 12)
            string = partials((tone, 2 * tone, 3 * tone), (0.5, 0.3, 0.2), length_s=beat_s, rate_hz=rate_hz)
            _lay(track, _LEVELS["chord"] * string, at)
    return track / max(float(np.abs(track).max()), 1e-6)


def _lay(track: Wave, sound: Wave, at: int) -> None:
    """Add a sound that may begin before the track or end behind it."""
    first, begin = max(at, 0), max(-at, 0)
    piece = sound[begin : begin + max(len(track) - first, 0)]
    track[first : first + len(piece)] += piece
