"""The clock that picture and sound meet on, and how curves on it are made comparable."""

import numpy as np
from numpy.typing import NDArray

CLOCK_HZ = 50
SMOOTHING_TICKS = 1.0
DRIFT_S = 1.96
"""Width of the running mean that is taken out, twice over: what changes more slowly is no event."""

Curves = NDArray[np.float64]


def ticks_us(start_us: int, end_us: int) -> Curves:
    """(ticks,) the instants of the clock in a span, the first at its start."""
    return np.asarray(start_us + np.arange(max(0, (end_us - start_us) * CLOCK_HZ // 1_000_000)) * (1e6 / CLOCK_HZ))


def at_ticks(values: NDArray[np.floating], at_us: Curves, ticks: Curves) -> Curves:
    """(ticks, ...) of (samples, ...) values at rising instants, in between by straight lines, held at both ends."""
    if not len(at_us):
        return np.zeros((len(ticks), *values.shape[1:]))
    after = np.clip(np.searchsorted(at_us, ticks), 1, max(len(at_us) - 1, 1))
    before, after = after - 1, np.minimum(after, len(at_us) - 1)
    gap = np.maximum(at_us[after] - at_us[before], 1)
    share = np.clip((ticks - at_us[before]) / gap, 0, 1).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(values[before] * (1 - share) + values[after] * share, np.float64)


def events(curves: Curves) -> Curves:
    """(curves, ticks) smoothed over 20 ms, what changes slowly taken out."""
    from scipy.ndimage import gaussian_filter1d, uniform_filter1d

    if not curves.shape[-1]:
        return curves
    smooth = gaussian_filter1d(curves, SMOOTHING_TICKS, axis=-1)
    width = round(DRIFT_S * CLOCK_HZ)
    return np.asarray(smooth - uniform_filter1d(uniform_filter1d(smooth, width, axis=-1), width, axis=-1))


def unit(curves: Curves) -> Curves:
    """Each of (curves, ticks) about its mean, of length one; 0 where nothing varies."""
    centred = curves - curves.mean(axis=-1, keepdims=True) if curves.shape[-1] else curves
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=-1, keepdims=True), 1e-9))
