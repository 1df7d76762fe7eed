"""JavisScore (Liu et al. 2025, arXiv 2503.23377): the worst-matching frames of each two seconds, by ImageBind cosines.

Windows of 2 s every 0.5 s; in each the mean cosine of the lowest 40 % of its frames with the window's sound; the mean
over windows (`javisbench_av_score.py` of JavisVerse/JavisDiT). It takes frames and sounds in one space, which ImageBind
alone offers; its weights are CC BY-NC-SA and not built in, so the network is given by whoever may use it.
"""

from dataclasses import dataclass

import numpy as np

from training.evaluate.extractors import FrameSound
from training.evaluate.films import EvaluatedClip
from training.evaluate.metrics.similarity import need, said

WINDOW_S, OVERLAP_S, LOWEST = 2.0, 1.5, 0.4


@dataclass(frozen=True)
class JavisScore:
    """In [-1, 1]; a clip of two seconds or less is one window."""

    network: FrameSound | None = None
    name = "javis_score"
    higher_is_better = True
    hears = sees = True

    @property
    def protocol(self) -> str:
        """With the network."""
        return f"{said(self.network)}, windows 2 s every 0.5 s, mean of the lowest 40 % of frames"

    def check(self) -> None:
        """Raise `Unavailable` without the network."""
        need(self.network, self.name)

    def value(self, clip: EvaluatedClip, truth: EvaluatedClip) -> float:  # noqa: ARG002
        """Of one clip."""
        assert self.network is not None
        rate_hz = self.network.rate_hz
        sound, seen = clip.sound_at(rate_hz), self.network.embed_frames(clip.frames)
        frames, samples = windows(len(seen), clip.fps), windows(len(sound), rate_hz)
        count = min(len(frames), len(samples))
        heard = self.network.embed_sounds(np.stack([sound[one] for one in samples[:count]]))
        lowest = []
        for part, row in zip(frames, heard, strict=False):
            cosines = np.sort(seen[part] @ row)
            lowest.append(cosines[: max(int(LOWEST * len(cosines)), 1)].mean())
        return float(np.mean(lowest))


def windows(count: int, rate: float) -> list[slice]:
    """Overlapping windows over `count` samples at a rate; the last one ends with them."""
    size = int(WINDOW_S * rate)
    if count <= size:
        return [slice(0, count)]
    step = size - int(OVERLAP_S * rate)
    last = count - size
    starts = [*range(0, last, step), last]
    return [slice(start, start + size) for start in starts]
