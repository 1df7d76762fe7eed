"""What changes in the sound: three curves, each the mean over octave bands of equal say [ours].

A blow is heard in many bands at once and a rattle in one, so each band is brought to the same length before the mean.
Loudness is the cube root of power, as in `curation.scores.curves`.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from curation.media.timeline import Timeline, Window
from curation.scores.synchrony.clock import Curves, at_ticks, events, ticks_us, unit

FFT_S, HOP_S = 0.032, 0.01
EDGES_HZ = (0, 250, 500, 1000, 2000, 4000, 8000)
REACH = 2
"""Frames on either side of an instant between which loudness rises: 40 ms."""

SILENCE = 1e-8


@dataclass(frozen=True, slots=True)
class Heard:
    """The events of a sound, on the 50 Hz clock.

    Attributes:
        changes: (ticks,) rise of loudness, and its change either way.
        onsets: (ticks,) rise of the spectrum from one frame to the next.
        level: (ticks,) the logarithm of loudness.
    """

    changes: Curves
    onsets: Curves
    level: Curves

    def within(self, first: int, last: int) -> "Heard":
        """The ticks from `first` up to `last`."""
        return Heard(self.changes[first:last], self.onsets[first:last], self.level[first:last])


def heard(line: Timeline, start_us: int, end_us: int) -> Heard:
    """The events of the sound in a span of a video; silence where the track has none."""
    from scipy.ndimage import gaussian_filter1d

    ticks = ticks_us(start_us, end_us)
    magnitude, at_us = _spectrum(Window(line, start_us, end_us).sound(), line.rate_hz)
    at_us = at_us + start_us
    if len(at_us) <= 2 * REACH:
        return Heard(*(np.zeros(len(ticks)) for _ in range(3)))
    bands = _bands(magnitude.shape[1], line.rate_hz)
    power = np.stack([(magnitude[:, band] ** 2).mean(axis=1) for band in bands], axis=1)
    loudness = gaussian_filter1d(power ** (1 / 3), 1.5, axis=0)
    change = loudness[2 * REACH :] - loudness[: -2 * REACH]
    rough = magnitude ** np.float32(2 / 3)
    spectral = np.maximum(rough[2:] - rough[:-2], 0)
    flux = np.stack([spectral[:, band].mean(axis=1) for band in bands], axis=1)
    inner = at_us[REACH:-REACH]
    return Heard(
        changes=_mean(np.maximum(change, 0), inner, ticks) + _mean(np.abs(change), inner, ticks),
        onsets=_mean(flux, at_us[1:-1], ticks),
        level=_mean(np.log(power + SILENCE), at_us, ticks),
    )


def _mean(values: Curves, at_us: Curves, ticks: Curves) -> Curves:
    """(ticks,) the mean over bands of (frames, bands), each band of the same length."""
    return np.asarray(unit(events(at_ticks(values, at_us, ticks).T)).mean(axis=0))


def _spectrum(waveform: NDArray[np.float32], rate_hz: int) -> tuple[NDArray[np.float32], Curves]:
    """(frames, bins) magnitudes under Hann windows of 32 ms, and their middles in microseconds."""
    size, hop = round(FFT_S * rate_hz), round(HOP_S * rate_hz)
    if len(waveform) < size:
        return np.zeros((0, size // 2 + 1), np.float32), np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(waveform, size)[::hop]
    taper = np.hanning(size + 1)[:-1].astype(np.float32)
    magnitude = np.abs(np.fft.rfft(frames * taper, axis=1)).astype(np.float32) / taper.sum()
    return magnitude, np.asarray((np.arange(len(frames)) * hop + size / 2) * (1e6 / rate_hz), np.float64)


def _bands(bins: int, rate_hz: int) -> list[slice]:
    """The bins of each octave band that the sound reaches, and all of them."""
    edges = [min(round(edge / (rate_hz / 2) * (bins - 1)), bins) for edge in EDGES_HZ]
    octaves = [slice(low, high) for low, high in pairwise(edges) if high > low]
    return [*octaves, slice(0, bins)]
