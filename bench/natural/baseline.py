"""A naive score to be beaten: frame differences by region against spectral flux by band, plain arithmetic, no weights.

Grey frames of 96 x 54 at their own rate, |difference| averaged in 8 x 6 cells; spectra (32 ms every 10 ms), their
logarithm's rise averaged in five bands; both on a clock of 50 Hz, smoothed over 20 ms, and what is slower than half a
second taken out. Every cell is correlated with every band at every lag (circularly), and the curve over lags is the
largest of all. The score is how far it stands out near zero over a second either way: (best within 60 ms - mean) /
standard deviation.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.natural.frames import decoded
from curation.media.container import open_media
from curation.media.decode import Kind, frame_time_us

WIDTH, HEIGHT, CELLS_X, CELLS_Y = 96, 54, 8, 6
CLOCK_HZ, LAGS, NEAR = 50, 50, 3
BANDS_HZ = ((0, 300), (300, 1500), (1500, 4000), (4000, 8000), (0, 8000))
SMOOTH, SLOW = 1.0, 25.0
RATE_HZ, SIZE, HOP = 16_000, 512, 160
LOUD = 1000.0

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Moves:
    """How a picture moves by region.

    Attributes:
        first_s: its first frame's time on the container's clock; the others count from there.
        at_s: (frames - 1,) middles between frames; cells: (48, frames - 1) mean differences there.
        end_s: its last frame's time.
    """

    first_s: float
    at_s: Rows
    cells: Rows
    end_s: float


@dataclass(frozen=True, slots=True)
class Heard:
    """A film's sound: where it begins, from its first frame, and (samples,) mono at 16 kHz."""

    start_s: float
    samples: NDArray[np.float32]


def moves(path: Path) -> Moves:
    """What the score sees of a film's picture.

    Raises:
        MediaFailure: it cannot be decoded.
    """
    times_us, grey = list[int](), list[NDArray[np.uint8]]()
    with open_media(path) as media:
        for kind, frame in decoded(media):
            if kind is Kind.PICTURE and (at := frame_time_us(frame)) is not None:
                times_us.append(at)
                grey.append(frame.reformat(WIDTH, HEIGHT, "gray").to_ndarray()[:HEIGHT, :WIDTH])
    times = (np.array(times_us) - times_us[0]) / 1e6
    differences = np.abs(np.diff(np.stack(grey).astype(np.float32) / 255, axis=0))
    size = (-1, CELLS_Y, HEIGHT // CELLS_Y, CELLS_X, WIDTH // CELLS_X)
    cells = differences.reshape(size).mean((2, 4)).reshape(len(differences), -1)
    return Moves(times_us[0] / 1e6, (times[1:] + times[:-1]) / 2, cells.T.astype(np.float64), float(times[-1]))


def heard(path: Path) -> Heard:
    """What the score hears of a film: floats, and channels mixed as libav mixes those, which sets their loudness.

    Raises:
        MediaFailure: it cannot be decoded.
    """
    import av

    resampler = av.AudioResampler("flt", "mono", RATE_HZ)
    first_us, start_us, parts = None, None, list[NDArray[np.float32]]()
    with open_media(path) as media:
        for kind, frame in decoded(media, one_picture=True):
            if kind is Kind.PICTURE:
                first_us = frame_time_us(frame)
            else:
                start_us = frame_time_us(frame) if start_us is None else start_us
                parts += [one.to_ndarray().ravel() for one in resampler.resample(frame)]
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    return Heard(((start_us or 0) - (first_us or 0)) / 1e6, samples)


def naive(seen: Moves, sound: Heard, span_us: tuple[int, int] | None = None) -> float:
    """The score of a picture with a sound, of all of the file or of a span; NaN where there is too little of them."""
    end_s = min(seen.end_s, sound.start_s + len(sound.samples) / RATE_HZ)
    span_s = (-seen.first_s, end_s) if span_us is None else (span_us[0] / 1e6, min(end_s, span_us[1] / 1e6))
    clock = np.arange(*span_s, 1 / CLOCK_HZ)
    if len(clock) < 4 or not len(seen.at_s) or len(sound.samples) < RATE_HZ // 4:
        return float("nan")
    motion = np.array([np.interp(clock, seen.at_s, cell) for cell in seen.cells])
    at_s, bands = flux(sound.samples)
    rises = np.array([np.interp(clock, at_s + sound.start_s, band) for band in bands])
    return stands_out(shaped(motion), shaped(rises))


def flux(samples: NDArray[np.float32]) -> tuple[Rows, Rows]:
    """(ticks,) seconds from the first sample, and (5, ticks) the rise of each band's loudness."""
    from scipy.signal import stft

    _, ticks, spectrum = stft(samples, RATE_HZ, nperseg=SIZE, noverlap=SIZE - HOP, boundary=None, padded=False)
    loud = np.log1p(LOUD * np.abs(spectrum))
    rise, hz = np.maximum(loud[:, 2:] - loud[:, :-2], 0), np.fft.rfftfreq(SIZE, 1 / RATE_HZ)
    return ticks[1:-1], np.array([rise[(hz >= low) & (hz < high)].mean(0) for low, high in BANDS_HZ])


def shaped(rows: Rows) -> Rows:
    """(rows, ticks) smoothed, without what is slow, each of mean 0 and length 1."""
    from scipy.ndimage import gaussian_filter1d

    smooth = gaussian_filter1d(rows, SMOOTH, axis=-1)
    quick = smooth - gaussian_filter1d(smooth, SLOW, axis=-1)
    quick = quick - quick.mean(-1, keepdims=True)
    return np.asarray(quick / (np.linalg.norm(quick, axis=-1, keepdims=True) + 1e-9))


def stands_out(motion: Rows, sound: Rows) -> float:
    """How far the agreement of (cells, ticks) and (bands, ticks) at zero stands out over all lags looked at."""
    ticks = motion.shape[1]
    spectra = np.conj(np.fft.rfft(motion))[:, None] * np.fft.rfft(sound)[None]
    best = np.fft.irfft(spectra, ticks, axis=2).max((0, 1))
    reach = min(LAGS, ticks // 2 - 1)
    curve = best[np.arange(-reach, reach + 1) % ticks]
    near = curve[reach - NEAR : reach + NEAR + 1]
    return float((near.max() - curve.mean()) / (curve.std() + 1e-9))
