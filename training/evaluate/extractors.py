"""Networks that metrics ask, as protocols: whoever runs an evaluation brings them along.

CLIP, PE-AV and Synchformer belong to curation, which training knows nothing of; `flows.evaluation` joins the two. The
names and shapes are those of curation's encoders, so that nothing has to be translated.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]
"""(n, width), of length one."""


class Extractor(Protocol):
    """What all have: `key` names the model and its digest, `check()` raises `Unavailable` where it cannot be had."""

    @property
    def key(self) -> str:
        """The model and its digest."""
        ...

    def check(self) -> None:
        """Raise `shards.errors.Unavailable` where weights or packages are absent."""
        ...


class ImageText(Extractor, Protocol):
    """Pictures and words in one space, as CLIP."""

    def embed_images(self, images: NDArray[np.uint8]) -> Embeddings:
        """Of (n, h, w, 3)."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Of n texts."""
        ...


class FrameSound(Extractor, Protocol):
    """Single frames and sounds in one space, as ImageBind; sounds at `rate_hz`."""

    rate_hz: int

    def embed_frames(self, images: NDArray[np.uint8]) -> Embeddings:
        """Of (n, h, w, 3)."""
        ...

    def embed_sounds(self, sounds: NDArray[np.float32]) -> Embeddings:
        """Of (n, samples)."""
        ...


class FilmSound(Extractor, Protocol):
    """A whole film against a whole sound, as PE-AV: frames at 25 a second and 336 px, sound at 48 kHz."""

    def see(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, width) of (n, 336, 336, 3)."""
        ...

    def compare(self, seen: NDArray[np.float32], sounds: NDArray[np.float32]) -> NDArray[np.float32]:
        """(clips, 2) logit and cosine of (clips, ticks, width) and (clips, ticks * 1920)."""
        ...


class OffsetTeller(Extractor, Protocol):
    """The posterior over offsets of a stretch, as Synchformer's."""

    def features(
        self, images: NDArray[np.uint8], sounds: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Of n segments: (n, 16, 224, 224, 3) at 25 Hz and (n, 10240) at 16 kHz."""
        ...

    def offsets(self, seen: NDArray[np.float32], heard: NDArray[np.float32]) -> NDArray[np.float64]:
        """(21,) from -2 to 2 s of 14 segments."""
        ...
