"""How loud the sound is: the predecessor's peak amplitude [pred], the share of silence, and the mean level."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from curation.media.timeline import Window
from curation.scores.base import Columns, Evidence, Need

FRAME_S = 0.02
SILENCE_DBFS = -50.0
FLOOR = 1e-6


class LoudnessScore:
    """`peak_amplitude` in [0, 1]; `silence_ratio` of 20 ms frames below -50 dBFS; `rms_dbfs` of the whole window."""

    name = "loudness"
    version = 1
    settings = ""
    needs = frozenset({Need.WAVEFORM})
    columns = ("peak_amplitude", "silence_ratio", "rms_dbfs")
    evidence = Evidence.SIGNAL
    trends: ClassVar[Mapping[str, int]] = {"silence_ratio": -1}

    def check(self) -> None:
        """Always available."""

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window."""
        return [_measure(window) for window in batch]


def _measure(window: Window) -> Columns:
    sound = window.sound()
    size = max(1, round(FRAME_S * window.timeline.rate_hz))
    frames = sound[: len(sound) // size * size].reshape(-1, size)
    levels = _dbfs(np.sqrt((frames**2).mean(axis=1))) if len(frames) else np.array([-120.0])
    return {
        "peak_amplitude": float(np.abs(sound).max(initial=0)),
        "silence_ratio": float((levels < SILENCE_DBFS).mean()),
        "rms_dbfs": float(_dbfs(np.sqrt((sound**2).mean()))) if len(sound) else -120.0,
    }


def _dbfs(amplitude: NDArray[np.floating] | np.floating) -> NDArray[np.floating]:
    return np.asarray(20 * np.log10(np.maximum(amplitude, FLOOR)))
