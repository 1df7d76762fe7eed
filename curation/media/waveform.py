"""Put decoded sound on one clock: 16-bit samples at one rate, gaps filled with silence.

Time stamps are coarser than samples (1 ms in Matroska and FLV) and their rounding would move a sound by up to a cycle,
so a run of gapless frames lies where the MEDIAN of its time stamps puts it, not its first [ours]. Samples are 16-bit
because that is what FLAC and review tools carry, and because only then does libav mix channels without overshooting.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shards.downmix import Downmix

GAP_S = 0.015
"""Time stamps of good files wobble by less than this; what is more is a gap. An AAC packet lasts 0.021 s [ours]."""

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Waveform:
    """(channels, samples) int16 at `rate_hz`; the first sample lies at `start_us` of the container's clock."""

    start_us: int
    rate_hz: int
    samples: Samples

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


class WaveformBuilder:
    """Collects the sound frames of a pass."""

    def __init__(self, *, rate_hz: int, layout: str = "mono") -> None:
        import av

        self._rate_hz, self._layout = rate_hz, layout
        self.channels = av.AudioLayout(layout).nb_channels
        self._runs: list[_Run] = []

    def add(self, frame: Any) -> None:
        """Take one decoded sound frame, in order; it is consumed."""
        run = self._runs[-1] if self._runs else None
        shape = (frame.sample_rate, frame.format.name, frame.layout.name)
        at_s = None if frame.pts is None else frame.pts * frame.time_base.numerator / frame.time_base.denominator
        if run is None or run.shape != shape or (at_s is not None and abs(at_s - run.end_s) > GAP_S):
            start_s = at_s if at_s is not None else (run.end_s if run else 0.0)
            if run:
                run.finish()
            run = _Run(shape, start_s, Downmix(rate_hz=self._rate_hz, layout=self._layout))
            self._runs.append(run)
        run.add(frame, at_s)

    def finish(self) -> Waveform | None:
        """All of it, or None if no sound was added; call once."""
        if not self._runs:
            return None
        self._runs[-1].finish()
        first_s = self._runs[0].aligned_s
        places = [max(0, round((run.aligned_s - first_s) * self._rate_hz)) for run in self._runs]
        length = max(place + run.count for place, run in zip(places, self._runs, strict=True))
        out = np.zeros((self.channels, length), np.int16)
        for place, run in zip(places, self._runs, strict=True):
            out[:, place : place + run.count] = np.concatenate(run.chunks, axis=1) if run.chunks else 0
        return Waveform(round(first_s * 1e6), self._rate_hz, out)

    def span(self, start_us: int, end_us: int) -> Samples:
        """(channels, samples) of [start, end) of all of it, zeros where there is none; call once, at the end."""
        whole = self.finish() or Waveform(start_us, self._rate_hz, np.zeros((self.channels, 0), np.int16))
        return whole.span(start_us, end_us)


@dataclass(slots=True)
class _Run:
    """Frames without a gap between them."""

    shape: tuple[int, str, str]
    start_s: float
    resampler: Downmix
    taken: int = 0
    starts_s: list[float] = field(default_factory=list)
    chunks: list[Samples] = field(default_factory=list)

    @property
    def end_s(self) -> float:
        return self.start_s + self.taken / self.shape[0]

    @property
    def aligned_s(self) -> float:
        return float(np.median(self.starts_s)) if self.starts_s else self.start_s

    @property
    def count(self) -> int:
        return sum(chunk.shape[1] for chunk in self.chunks)

    def add(self, frame: Any, at_s: float | None) -> None:
        if at_s is not None:
            self.starts_s.append(at_s - self.taken / self.shape[0])
        self.taken += frame.samples
        self.chunks += self.resampler.put(frame)

    def finish(self) -> None:
        self.chunks += self.resampler.rest()
