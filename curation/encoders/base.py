"""What an encoder is. Pictures and sounds do not share a space here; words are the bridge between the two."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]
"""(n, width), every row of length one, so that a dot product is a cosine."""


class ImageTextEncoder(Protocol):
    """Pictures and words in one space; safe to call from many threads.

    `scale` is what cosines are multiplied by before a softmax over words.
    """

    scale: float

    def embed_images(self, images: NDArray[np.uint8]) -> Embeddings:
        """Embed (n, height, width, 3) RGB images."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embed n texts."""
        ...


class AudioTextEncoder(Protocol):
    """Sounds and words in one space; `rate_hz` is the rate it wants to hear, `scale` as for pictures."""

    scale: float
    rate_hz: int

    def embed_sounds(self, sounds: NDArray[np.float32]) -> Embeddings:
        """Embed (n, samples) mono sounds at `rate_hz`."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embed n texts."""
        ...


def best_device() -> str:
    """ "cuda" where there is one, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def half_on_gpu(device: str) -> AbstractContextManager[object]:
    """bfloat16 where matrices are multiplied on a GPU; on a CPU nothing changes."""
    import torch

    return torch.autocast("cuda", torch.bfloat16) if device.startswith("cuda") else nullcontext()
