"""How much picture and sound agree at each lag: all regions are asked, and the one that agrees best is heard [ours].

A region's evidence is the sum of three correlations, since what belongs together agrees in more than one way: how much
moves with how the sound changes, where motion stops with onsets, and the luma's level with the sound's.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.scores.synchrony.clock import CLOCK_HZ, Curves, unit
from curation.scores.synchrony.regions import Seen
from curation.scores.synchrony.sounds import Heard

REACH_S = 2.0
"""Lags that are looked at: further than offsets are looked for, to know what agrees by chance."""

SHARPNESS = 2.0
"""Of the soft maximum over regions."""

EFFECTIVE_TICKS = 10
"""Ticks that hang together: correlations of curves of this many times n vary by about 1 / sqrt(n)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How much picture and sound agree at each lag.

    Attributes:
        lags_s: (lags,) rising; positive where the sound is late.
        of_regions: (regions, lags).
        values: (lags,) their soft maximum over regions.
    """

    lags_s: NDArray[np.float64]
    of_regions: NDArray[np.float64]
    values: NDArray[np.float64]

    def best_region(self, lag_s: float) -> int:
        """The region that agrees best at a lag."""
        return int(self.of_regions[:, np.abs(self.lags_s - lag_s).argmin()].argmax())


def agreement(picture: Seen, sound: Heard) -> Agreement | None:
    """Compare a picture's regions with its sound; None where there is too little of either."""
    ticks = picture.motion.shape[1]
    reach = min(round(REACH_S * CLOCK_HZ), ticks // 2 - 1)
    if reach < 2 or not (np.any(sound.changes) and np.any(picture.motion)):
        return None
    size = 2 ** int(2 * ticks - 1).bit_length()
    moved, stopped, dark = (
        np.conj(np.fft.rfft(unit(one), size)) for one in (picture.motion, picture.stops, picture.level)
    )
    changes, onsets, loud = (np.fft.rfft(one - one.mean(), size) for one in (sound.changes, sound.onsets, sound.level))
    lags = np.arange(-reach, reach + 1)
    together = np.fft.irfft(moved * changes + stopped * onsets, size)[:, lags % size]
    # A mouth that opens gets darker, a lamp lighter: either way.
    together += np.abs(np.fft.irfft(dark * loud, size)[:, lags % size])
    together *= np.sqrt(ticks / EFFECTIVE_TICKS / (1 - np.abs(lags) / ticks))
    top = together.max()
    values = top + np.log(np.exp(SHARPNESS * (together - top)).mean(axis=0)) / SHARPNESS
    return Agreement(lags / CLOCK_HZ, together, values)


def standing_out(found: Agreement) -> NDArray[np.float64]:
    """(lags,) by how many standard deviations of the whole curve the agreement at each lag lies above its mean."""
    spread = float(found.values.std())
    return (found.values - found.values.mean()) / spread if spread > 1e-9 else np.zeros_like(found.values)


def repeats(curve: Curves, *, beyond_s: float) -> float:
    """The largest correlation of a (ticks,) curve with itself further off than `beyond_s`; near 1 for beats."""
    ticks = len(curve)
    reach = min(round(REACH_S * CLOCK_HZ), ticks // 2 - 1)
    first = round(beyond_s * CLOCK_HZ)
    if reach <= first or not np.any(curve):
        return 0.0
    size = 2 ** int(2 * ticks - 1).bit_length()
    own = np.fft.irfft(np.abs(np.fft.rfft(curve - curve.mean(), size)) ** 2, size)
    lags = np.arange(first, reach + 1)
    return float(np.clip((own[lags] / own[0] / (1 - lags / ticks)).max(), 0, 1))
