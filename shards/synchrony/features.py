"""What the sync classifier is given: luma of a coarse grid of cells, and a loudness spectrum, on two steady clocks.

Both are coarse on purpose. Timing is in what changes, not in what is seen: so few numbers leave the network little
else to learn by heart, and the one decode pass of the analysis has them nearly for free [ours].
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

CELLS = 12
"""Cells of a picture, each way."""

PICTURE_HZ = 25
SOUND_HZ = 100
RATE_HZ = 16_000
SPAN_STEPS = 2 * PICTURE_HZ
"""Two seconds: what is compared [pred]."""

MEL_BANDS = 40
FFT_S = 0.032
LOUDNESS_POWER = 1 / 3
"""The ear's loudness; a logarithm would let a whisper after silence outweigh every later blow."""

FLOOR_POWER = 0.01
"""Mel power of a noise of about -50 dBFS; what is fainter does not count as sound."""

Floats = NDArray[np.float32]
Curve = NDArray[np.float64]


def cells_of(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(12, 12) uint8 mean luma of the cells of a (height, width) plane."""
    sums, areas = cell_sums(luma)
    return np.asarray(sums // areas, np.uint8)


def cell_sums(plane: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """(12, 12) sums of the cells of a (height, width) plane, whole numbers, and how many pixels each cell has.

    Products with zeros and ones: five times as fast as numpy's `add.reduceat` on so few pixels.
    """
    if min(plane.shape) < CELLS:
        plane = np.repeat(np.repeat(plane, CELLS, axis=0), CELLS, axis=1)
    rows, columns = (_members(size) for size in plane.shape)
    sums: Floats = rows @ plane.astype(np.float32) @ columns.T
    return sums, np.outer(rows.sum(axis=1), columns.sum(axis=1))


@cache
def _members(size: int) -> Floats:
    """(12, size) of which cell each line of pixels is a part."""
    cell = np.searchsorted(np.arange(CELLS) * size // CELLS, np.arange(size), side="right") - 1
    return np.asarray(cell == np.arange(CELLS)[:, None], np.float32)


def picture_features(cells: NDArray[np.uint8], frame_us: NDArray[np.int64], *, start_us: int, steps: int) -> Floats:
    """(2, steps, 12, 12) luma of the cells about their mean over time, and its change, at 25 Hz from `start_us` on.

    Both are divided by the spread of the changes, so that a dim picture counts as much as a bright one.
    """
    at_us = start_us + np.arange(steps) * (1_000_000 // PICTURE_HZ)
    after = np.clip(np.searchsorted(frame_us, at_us), 1, max(len(frame_us) - 1, 1))
    before, after = after - 1, np.minimum(after, len(frame_us) - 1)
    gap = np.maximum(frame_us[after] - frame_us[before], 1)
    share = np.clip((at_us - frame_us[before]) / gap, 0, 1)[:, None, None].astype(np.float32)
    values = cells[before].astype(np.float32) * (1 - share) + cells[after].astype(np.float32) * share
    change = np.diff(values, axis=0, prepend=values[:1])
    scale = max(float(np.sqrt((change**2).mean())), 0.25)
    return np.stack([(values - values.mean(axis=0)) / (4 * scale), change / scale]).clip(-8, 8)


def sound_features(waveform: Floats) -> Floats:
    """(ticks, 40) cube-root mel power of a mono sound at 16 kHz, 100 ticks a second, divided by its own spread."""
    loudness = mel_power(waveform, RATE_HZ) ** LOUDNESS_POWER
    spread = max(float(loudness.std()), 0.05) if loudness.size else 1.0
    return (loudness / spread).astype(np.float32)


def mel_power(waveform: Floats, rate_hz: int) -> Curve:
    """(ticks, 40) mel power above the floor; tick k is centred on sample k x rate / 100."""
    hop, size = rate_hz // SOUND_HZ, round(FFT_S * rate_hz)
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
