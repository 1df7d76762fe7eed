"""Put decoded sound on one clock: 16-bit samples at one rate, gaps filled with silence.

Time stamps are coarser than samples (1 ms in Matroska and FLV) and their rounding would move a sound by up to a cycle,
so a run of gapless frames lies where all of its stamps together put it; see `curation.media.runs`. Samples are 16-bit
because that is what FLAC and review tools carry, and because only then does libav mix channels without overshooting.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.media.clock import EVERYWHERE
from curation.media.runs import Run, runs_of
from shards.downmix import Downmix

EDGE = 1e-3
"""Samples; microseconds of two tracks differ by less."""

WARPED = 1 << 20
"""Samples that are moved at once where a run drifts: memory stays bounded."""

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Waveform:
    """(channels, samples) int16 at `rate_hz`; the first sample lies at `start_us` of the container's clock.

    Attributes:
        start_us, rate_hz, samples: see above.
        heard: (stretches, 2) int64, first and last + 1 of the samples that the source has, in order; else is silence.
        wobble_us: how far stamps of the sound lie off where it was put, 95 of 100 of them.
    """

    start_us: int
    rate_hz: int
    samples: Samples
    heard: NDArray[np.int64]
    wobble_us: int = 0

    @property
    def end_us(self) -> int:
        """Where the last sample ends."""
        return self.start_us + round(len(self.samples[0]) * 1e6 / self.rate_hz)

    def span(self, start_us: int, end_us: int) -> Samples:
        """(channels, samples) of [start, end), zero where there is no sound."""
        first = round((start_us - self.start_us) * self.rate_hz / 1e6)
        count = round((end_us - start_us) * self.rate_hz / 1e6)
        out = np.zeros((len(self.samples), count), np.int16)
        inside = self.samples[:, max(first, 0) : max(first + count, 0)]
        at = max(-first, 0)
        out[:, at : at + inside.shape[1]] = inside
        return out

    def heard_us(self) -> NDArray[np.int64]:
        """(stretches, 2) int64: begin and end of what the source has, on the container's clock."""
        heard: NDArray[np.int64] = np.rint(self.start_us + self.heard * (1e6 / self.rate_hz)).astype(np.int64)
        return heard

    def silent_us(self, start_us: int, end_us: int) -> int:
        """How much of [start, end) the source has no sound for; what is less than two samples is rounding."""
        inside = self.heard_us().clip(start_us, end_us)
        silent = end_us - start_us - int((inside[:, 1] - inside[:, 0]).sum())
        return silent if silent * self.rate_hz > 2e6 else 0


class WaveformBuilder:
    """Collects the sound frames of a pass."""

    def __init__(self, *, rate_hz: int, layout: str = "mono") -> None:
        import av

        self._rate_hz, self._layout = rate_hz, layout
        self.channels = av.AudioLayout(layout).nb_channels
        self._strands: list[_Strand] = []

    def add(self, frame: Any, *, within_us: tuple[int, int] = EVERYWHERE) -> None:
        """Take one decoded sound frame, in order; it is consumed. What lies outside of a span is left out."""
        strand = self._strands[-1] if self._strands else None
        shape = (frame.sample_rate, frame.format.name, frame.layout.name)
        if strand is None or strand.shape != shape or strand.within_us != within_us:
            if strand:
                strand.finish()
            strand = _Strand(shape, within_us, self._rate_hz, self._layout)
            self._strands.append(strand)
        strand.add(frame)

    def finish(self) -> Waveform | None:
        """All of it, or None if no sound was added; call once."""
        if not self._strands:
            return None
        self._strands[-1].finish()
        pieces, after_s = list[_Piece](), 0.0
        for strand in self._strands:
            pieces += strand.pieces(after_s)
            after_s = pieces[-1].at_s + pieces[-1].samples.shape[1] / self._rate_hz
        first_s = min(piece.at_s for piece in pieces)
        places = [round((piece.at_s - first_s) * self._rate_hz) for piece in pieces]
        length = max(place + piece.samples.shape[1] for place, piece in zip(places, pieces, strict=True))
        out = np.zeros((self.channels, length), np.int16)
        for place, piece in zip(places, pieces, strict=True):
            out[:, place : place + piece.samples.shape[1]] = piece.samples
        heard = _merged((at, at + piece.samples.shape[1]) for at, piece in zip(places, pieces, strict=True))
        wobble_us = round(1e6 * max(piece.wobble_s for piece in pieces))
        return Waveform(round(first_s * 1e6), self._rate_hz, out, heard, wobble_us)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Samples without a hole, and where the first of them lies."""

    at_s: float
    samples: Samples
    wobble_s: float


class _Strand:
    """Frames of one shape in a row, holes included: one resampler for all of them, which goes when they end."""

    def __init__(self, shape: tuple[int, str, str], within_us: tuple[int, int], rate_hz: int, layout: str) -> None:
        self.shape, self.within_us = shape, within_us
        self._rate_hz = rate_hz
        self._resampler: Downmix | None = Downmix(rate_hz=rate_hz, layout=layout)
        self._taken = 0
        self._starts, self._stamps_s = list[int](), list[float]()
        self._chunks = list[Samples]()

    def add(self, frame: Any) -> None:
        base = frame.time_base
        at_s = frame.pts * base.numerator / base.denominator if frame.pts is not None else math.nan
        self._starts.append(self._taken)
        self._stamps_s.append(at_s)
        self._taken += frame.samples
        if self._resampler:
            self._chunks += self._resampler.put(frame)

    def finish(self) -> None:
        if self._resampler:
            self._chunks += self._resampler.rest()
            self._resampler = None

    def pieces(self, after_s: float) -> Iterator[_Piece]:
        """What it holds, hole by hole; without any stamp it begins at `after_s`."""
        starts, stamps_s = np.array(self._starts, np.int64), np.array(self._stamps_s)
        if np.isnan(stamps_s).all():
            stamps_s[0] = after_s
        whole = np.concatenate(self._chunks, axis=1) if self._chunks else np.zeros((1, 0), np.int16)
        scale = self._rate_hz / self.shape[0]
        runs = runs_of(starts, stamps_s, samples=self._taken, rate_hz=self.shape[0])
        for run in runs:
            last = whole.shape[1] if run is runs[-1] else round(run.last * scale)
            part = whole[:, round(run.first * scale) : last]
            yield self._within(_unwarped(part, run, self.shape[0], self._rate_hz))

    def _within(self, piece: _Piece) -> _Piece:
        """The part of a piece that counts."""
        count = piece.samples.shape[1]
        # A sample at an edge, give or take what floating point adds, lies behind it.
        first, last = ((edge / 1e6 - piece.at_s) * self._rate_hz - EDGE for edge in self.within_us)
        first = math.ceil(min(max(0, first), count))
        last = max(first, math.ceil(min(last, count)))
        if (first, last) == (0, count):
            return piece
        return _Piece(piece.at_s + first / self._rate_hz, piece.samples[:, first:last], piece.wobble_s)


def _merged(stretches: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """(stretches, 2): the same in order, those that meet as one, without empty ones."""
    merged = list[list[int]]()
    for first, last in sorted(stretches):
        if merged and first <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], last)
        elif last > first:
            merged.append([first, last])
    return np.array(merged, np.int64).reshape(-1, 2)


def _unwarped(samples: Samples, run: Run, source_hz: int, rate_hz: int) -> _Piece:
    """A run's samples at even distances, where its stamps drift away from them."""
    if not len(run.knots):
        return _Piece(run.at_s, samples, run.wobble_s)
    # Where each sample lies, in samples from where the first would lie; and what lies at each place.
    inner, ends = (run.knots - run.first) * rate_hz / source_hz, np.array([0, samples.shape[1] - 1])
    knots = np.unique(np.concatenate([ends, inner.clip(*ends)]))
    late = np.interp(knots, inner, run.late_s * rate_hz)
    begin, end = (ends + late[[0, -1]]).tolist()
    count = int(end - begin) + 1
    out = np.zeros((len(samples), count), np.int16)
    for first in range(0, count, WARPED):
        wanted = begin + np.arange(first, min(first + WARPED, count))
        found = np.interp(wanted, knots + late, knots)
        low = np.clip(found.astype(np.int64), 0, samples.shape[1] - 1)
        high = np.minimum(low + 1, samples.shape[1] - 1)
        share = found - low
        mixed = samples[:, low] * (1 - share) + samples[:, high] * share
        out[:, first : first + len(wanted)] = np.rint(mixed).clip(-32768, 32767)
    return _Piece(run.at_s + begin / rate_hz, out, run.wobble_s)
