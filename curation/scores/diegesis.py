"""Does the picture account for the sound? Added music and narration are the main noise of web video [ours].

Two signal measures without weights. What sounds while nothing moves came from elsewhere. And what holds its tones and
its loudness is added music, or machinery; what is struck rings too, but dies away. Tones are told from noise and blows
by harmonic-percussive separation with median filters (Fitzgerald, "Harmonic/Percussive Separation Using Median
Filtering", 2010).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from curation.media.timeline import Window
from curation.scores.base import Columns, Evidence, Need, once_a_video
from curation.scores.curves import CLOCK_HZ, Curve, motion_and_sound

NEAR_S = 0.06
"""A sound is accounted for by motion this close: impacts swing before and ring after."""

CLEAR_MOTION = 0.8
"""Motion counts in full from this share of the window's own strong motion (its 95th percentile)."""

STILL = 0.002
"""Mean luma difference below which nothing moves but noise."""

FFT_S, HOP_S = 0.064, 0.02
ALONG_S, ACROSS_HZ = 0.3, 250.0
SILENT_POWER = 1e-6
PIECE_FRAMES = 3000
"""A minute: the spectrogram of hours of sound would not fit."""


class DiegesisScore:
    """`unexplained_sound`: share of the sound's changes with no clear motion within 0.06 s. `steady_tone`: share of the
    sound's energy that holds its tone, times the median of its loudness over its 95th percentile. `unexplained_music`:
    their product, as who is seen to play moves when the notes change. All in [0, 1], NaN where there is no sound."""

    name = "diegesis"
    version = 2
    settings = ""
    needs = frozenset({Need.CURVES, Need.WAVEFORM})
    columns = ("unexplained_sound", "steady_tone", "unexplained_music")
    evidence = Evidence.SYNCHRONY
    trends: ClassVar[Mapping[str, int]] = {"unexplained_sound": -1, "unexplained_music": -1}

    def check(self) -> None:
        """Always available."""

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window; tones are told apart once for all windows of a video."""
        heard = once_a_video(batch, lambda line: tones(line.waveform, line.rate_hz))
        found: list[Columns] = []
        for window, of_video in zip(batch, heard, strict=True):
            sound = unexplained(*motion_and_sound(window))
            steady = of_video.within(*_span_s(window)).steadiness()
            found.append({"unexplained_sound": sound, "steady_tone": steady, "unexplained_music": sound * steady})
        return found


def unexplained(motion: Curve, changes: Curve) -> float:
    """Share of the sound's changes, each counted by its strength, with no motion near, from two (ticks,) curves."""
    from scipy.ndimage import maximum_filter1d

    strength = np.maximum(changes - np.median(changes), 0) if len(changes) else changes
    if strength.sum() < 1e-6:
        return float("nan")
    near = maximum_filter1d(motion, 2 * round(NEAR_S * CLOCK_HZ) + 1)
    strong = max(float(np.quantile(motion, 0.95)), STILL)
    accounted = np.minimum(np.maximum(near - STILL, 0) / (CLEAR_MOTION * strong), 1)
    return float(1 - (strength * accounted).sum() / strength.sum())


@dataclass(frozen=True, slots=True)
class Tones:
    """What of a sound holds its tone.

    Attributes:
        energy: (frames,) energy of 64 ms, every 20 ms; frame k begins at k x 20 ms.
        held: (frames,) the energy of held tones in it.
    """

    energy: Curve
    held: Curve

    def within(self, start_s: float, end_s: float) -> "Tones":
        """The frames whose middle lies in [start, end), seconds of the sound; silence where it has none."""
        first, last = (round((at - FFT_S / 2) / HOP_S) for at in (start_s, end_s))
        frames = np.arange(first, last)
        inside = (frames >= 0) & (frames < len(self.energy))
        energy, held = np.zeros((2, len(frames)))
        energy[inside], held[inside] = self.energy[frames[inside]], self.held[frames[inside]]
        return Tones(energy, held)

    def steadiness(self) -> float:
        """`steady_tone`: the share of what is held, times how even the loudness is."""
        if not self.energy.size or self.energy.max() < SILENT_POWER:
            return float("nan")
        loudness = np.sqrt(self.energy)
        evenness = float(np.median(loudness) / max(float(np.quantile(loudness, 0.95)), 1e-9))
        return float(self.held.sum() / self.energy.sum()) * evenness


def tones(waveform: NDArray[np.float32], rate_hz: int) -> Tones:
    """Tell held tones from noise and blows in a (samples,) sound."""
    pieces = list(_pieces(waveform, rate_hz))
    energy = [piece.sum(axis=1)[margin] for piece, margin in pieces]
    held = [(held_share(piece) * piece).sum(axis=1)[margin] for piece, margin in pieces]
    return Tones(np.concatenate([*energy, np.zeros(0)]), np.concatenate([*held, np.zeros(0)]))


def held_share(power: Curve) -> Curve:
    """(frames, bins) the share of a power spectrogram's energy that is steady over time: soft masks, as in the paper's
    equation 5."""
    steady = _medians(power.T, _taps(ALONG_S / HOP_S)).T ** 2
    spread = _medians(power, _taps(ACROSS_HZ * FFT_S)) ** 2
    return np.asarray(steady / np.maximum(steady + spread, 1e-18))


def _medians(rows: Curve, taps: int) -> Curve:
    """Median filter along each row: for one dimension scipy has a way that is five times as fast as for two."""
    from scipy.ndimage import median_filter

    rows = np.ascontiguousarray(rows)
    return np.stack([median_filter(row, taps) for row in rows]) if len(rows) else rows


def _taps(width: float) -> int:
    return max(3, round(width) | 1)


def _pieces(waveform: NDArray[np.float32], rate_hz: int) -> Iterator[tuple[Curve, slice]]:
    """(frames, bins) power of the sound, a minute at a time and some frames around it, and which are the minute's."""
    size, hop = round(FFT_S * rate_hz), round(HOP_S * rate_hz)
    frames = max((len(waveform) - size) // hop + 1, 0)
    around = _taps(ALONG_S / HOP_S) // 2
    for first in range(0, frames, PIECE_FRAMES):
        begin, end = max(first - around, 0), min(first + PIECE_FRAMES + around, frames)
        part = waveform[begin * hop : (end - 1) * hop + size].astype(np.float64)
        windows = np.lib.stride_tricks.sliding_window_view(part, size)[::hop]
        spectrum = np.fft.rfft(windows * np.hanning(size), axis=1)
        yield np.abs(spectrum) ** 2, slice(first - begin, first - begin + PIECE_FRAMES)


def _span_s(window: Window) -> tuple[float, float]:
    """The window in seconds of its video's sound."""
    begin_us = window.timeline.audio_start_us
    return (window.start_us - begin_us) / 1e6, (window.end_us - begin_us) / 1e6
