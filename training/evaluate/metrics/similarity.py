"""Do picture and words, and picture and sound, mean the same? Cosines of frozen networks x 100, as the predecessor's IT
and IA, which it took from ImageBind (CC BY-NC-SA: not for commercial use).

Ours are named by their network: CLIP for words, PE-AV (Apache-2.0) for sound. Neither is about timing: what they must
tell from the truth is a swapped sound or caption.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shards.errors import Unavailable
from training.evaluate.extractors import Extractor, FilmSound, ImageText
from training.evaluate.films import EvaluatedClip, Frames

PE_AV_FPS, PE_AV_PX, PE_AV_HZ = 25, 336, 48_000


@dataclass(frozen=True)
class ClipImageText:
    """100 x mean cosine of frames 2 to the last with the caption, by CLIP; NaN without a caption."""

    network: ImageText | None = None
    name = "clip_image_text"
    higher_is_better = True
    # A swapped clip has the other's caption: this one reads it.
    hears = sees = True

    @property
    def protocol(self) -> str:
        """With the network."""
        return f"{said(self.network)}, its own preprocessing, frames 2..n with the caption as it is, mean cosine x100"

    def check(self) -> None:
        """Raise `Unavailable` without the network."""
        need(self.network, self.name)

    def value(self, clip: EvaluatedClip, truth: EvaluatedClip) -> float:  # noqa: ARG002
        """Of one clip."""
        assert self.network is not None
        if not clip.caption:
            return float("nan")
        words = self.network.embed_texts([clip.caption])[0]
        return 100 * float((self.network.embed_images(clip.frames[1:]) @ words).mean())


@dataclass(frozen=True)
class PeAvSimilarity:
    """100 x cosine of film and sound, by PE-AV."""

    network: FilmSound | None = None
    name = "pe_av"
    higher_is_better = True
    hears = sees = True

    @property
    def protocol(self) -> str:
        """With the network."""
        return f"{said(self.network)}, the frame shown at each of 25 ticks a second, {PE_AV_PX} px bicubic, 48 kHz x100"

    def check(self) -> None:
        """Raise `Unavailable` without the network."""
        need(self.network, self.name)

    def value(self, clip: EvaluatedClip, truth: EvaluatedClip) -> float:  # noqa: ARG002
        """Of one clip."""
        assert self.network is not None
        places = shown_at(len(clip.frames), clip.fps, PE_AV_FPS)
        # Each frame is looked at once, however often it is shown.
        seen = self.network.see(as_pixels(clip.frames, PE_AV_PX))[places]
        sound = np.resize(clip.sound_at(PE_AV_HZ), len(places) * PE_AV_HZ // PE_AV_FPS)
        return 100 * float(self.network.compare(seen[None], sound[None])[0, 1])


def shown_at(frames: int, fps: float, hz: int) -> NDArray[np.int64]:
    """(ticks,) which frame is shown at each tick of another rate."""
    ticks = round(frames / fps * hz)
    return np.minimum((np.arange(ticks) * fps / hz + 1e-9).astype(np.int64), frames - 1)


def as_pixels(frames: Frames, side_px: int) -> Frames:
    """(frames, side, side, 3), bicubic and antialiased."""
    from training.evaluate.metrics.frechet import resized

    if frames.shape[1:3] == (side_px, side_px):
        return frames
    return np.round(resized(frames, side_px).clip(0, 1) * 255).astype(np.uint8).transpose(0, 2, 3, 1)


def need(network: Extractor | None, name: str) -> None:
    """Check that a metric has its network.

    Raises:
        Unavailable: it has none, or its weights are absent.
    """
    if network is None:
        raise Unavailable(f"{name} needs a network, and none was given", remedy="docs/evaluation.md says which and how")
    network.check()


def said(network: Extractor | None) -> str:
    """A network in a protocol."""
    return network.key if network else "no network"
