"""DeSync: by how much does Synchformer (Iashin et al. 2024) believe the sound to be off? As MMAudio's evaluation does.

Segments of 0.64 s every 0.32 s; the network compares 14 of them (4.8 s) and says the likeliest of 21 offsets from -2 to
2 s. `desync` is the mean size of that over the first 14 and the last 14 (hkchengrex/av-benchmark, `evaluate.py`);
`desync_all` over every run of 14 that a clip has: 17 in 10 s. Clips shorter than 4.8 s say nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluate.extractors import OffsetTeller
from training.evaluate.films import EvaluatedClip
from training.evaluate.metrics.similarity import as_pixels, need, said, shown_at

HZ, SIDE_PX, RATE_HZ = 25, 224, 16_000
SEGMENT_S, STEP_S, SEGMENTS = 0.64, 0.32, 14
GRID_S = np.linspace(-2.0, 2.0, 21)


@dataclass(frozen=True)
class DeSync:
    """Mean size of the likeliest offset in seconds, over the first and the last run; NaN below 4.8 s."""

    network: OffsetTeller | None = None
    name = "desync"
    higher_is_better = False
    hears = sees = True
    _which = "first and last 14"

    @property
    def protocol(self) -> str:
        """With the network."""
        return (
            f"{said(self.network)}, {HZ} Hz, {SIDE_PX} px bicubic, 16 kHz, segments 0.64 s every 0.32 s, "
            f"{self._which}, mean |argmax of 21 offsets|"
        )

    def check(self) -> None:
        """Raise `Unavailable` without the network."""
        need(self.network, self.name)

    def value(self, clip: EvaluatedClip, truth: EvaluatedClip) -> float:  # noqa: ARG002
        """Of one clip."""
        assert self.network is not None
        pictures, sounds = segments(clip)
        runs = self._runs(len(pictures))
        if not runs:
            return float("nan")
        seen, heard = self.network.features(pictures, sounds)
        told = [self.network.offsets(seen[at : at + SEGMENTS], heard[at : at + SEGMENTS]) for at in runs]
        return float(np.mean([abs(GRID_S[one.argmax()]) for one in told]))

    def _runs(self, count: int) -> list[int]:
        """Where each run begins; a clip of just 14 segments counts once for both."""
        return [0, count - SEGMENTS] if count >= SEGMENTS else []


class DeSyncAll(DeSync):
    """The same over every run of 14 segments."""

    name = "desync_all"
    _which = "every run of 14"

    def _runs(self, count: int) -> list[int]:
        return list(range(count - SEGMENTS + 1))


def segments(clip: EvaluatedClip) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """(n, 16, 224, 224, 3) at 25 Hz and (n, 10240) at 16 kHz of a clip."""
    frames = as_pixels(clip.frames, SIDE_PX)[shown_at(len(clip.frames), clip.fps, HZ)]
    sound = clip.sound_at(RATE_HZ)
    picture, step = round(SEGMENT_S * HZ), round(STEP_S * HZ)
    heard, hop = round(SEGMENT_S * RATE_HZ), round(STEP_S * RATE_HZ)
    count = max(min((len(frames) - picture) // step, (len(sound) - heard) // hop) + 1, 0)
    if not count:
        return np.zeros((0, picture, SIDE_PX, SIDE_PX, 3), np.uint8), np.zeros((0, heard), np.float32)
    return (
        np.stack([frames[at * step : at * step + picture] for at in range(count)]),
        np.stack([sound[at * hop : at * hop + heard] for at in range(count)]),
    )
