"""CycleSync (Song et al. 2025, arXiv 2509.21893): how much of the sound can be told from the picture alone?

A video-to-audio model makes a sound for the silent film, and its onsets are compared with those of the sound that the
film was made for: motion that is not there leaves no onset. The paper's abstract says so much; which model and how near
two onsets must lie could not be read, so both are part of the protocol here: the model is given, onsets are librosa's
and match within 0.1 s, each once [ours]. Figures are comparable among runs of one model only. x 100 as published.
"""

from dataclasses import dataclass
from typing import Protocol

from shards.errors import Unavailable
from training.evaluate.films import EvaluatedClip, Frames, Wave
from training.evaluate.metrics.av_align import RATE_HZ, need_packages, onsets_s
from training.evaluate.metrics.matching import pairs, union_share

WITHIN_S = 0.1


class VideoToAudio(Protocol):
    """Makes a sound for a silent film; `key` names the model and its digest."""

    key: str

    def sound_for(self, frames: Frames, fps: float, caption: str, *, rate_hz: int) -> Wave:
        """(samples,) at `rate_hz`, as long as the film."""
        ...


@dataclass(frozen=True)
class CycleSync:
    """100 x intersection over union of the onsets of the made sound and of the given one."""

    model: VideoToAudio | None = None
    name = "cycle_sync"
    higher_is_better = True
    hears = sees = True

    @property
    def protocol(self) -> str:
        """With the model."""
        made = self.model.key if self.model else "no model"
        return f"sound made by {made}; librosa onset_detect at 22050 Hz, {WITHIN_S} s, each onset once; x100"

    def check(self) -> None:
        """Raise `Unavailable` without a model, or without librosa."""
        if self.model is None:
            raise Unavailable(
                "cycle_sync needs a video-to-audio model, and none is built in",
                remedy="give one from Python: CycleSync(model), as docs/evaluation.md shows",
            )
        need_packages("librosa")

    def value(self, clip: EvaluatedClip, truth: EvaluatedClip) -> float:  # noqa: ARG002
        """Of one clip."""
        assert self.model is not None
        made = self.model.sound_for(clip.frames, clip.fps, clip.caption, rate_hz=RATE_HZ)
        heard, told = onsets_s(clip.sound_at(RATE_HZ)), onsets_s(made)
        return 100 * union_share(heard, told, len(pairs(heard, told, within_s=WITHIN_S, inclusive=True)))
