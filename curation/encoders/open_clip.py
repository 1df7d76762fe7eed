"""CLIP through open_clip: weights from a local safetensors file, the tokenizer from the package, never the hub."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curation.encoders.base import Embeddings, best_device, half_on_gpu
from curation.encoders.batching import Batcher
from shards.errors import BadInput

MODEL = "ViT-B-32"
BATCH = 64


class OpenClipEncoder:
    """An open_clip model as an `ImageTextEncoder`; pictures go through open_clip's own preprocessing.

    Raises:
        BadInput: the file does not hold this model's weights.
    """

    def __init__(self, weights: Path, *, model: str = MODEL, device: str | None = None) -> None:
        import open_clip
        from safetensors import SafetensorError

        if weights.suffix != ".safetensors" or not weights.is_file():
            raise BadInput(f"{weights} is no safetensors file", remedy="clapboard weights fetch clip")
        self._device = device or best_device()
        self._tokenize = open_clip.get_tokenizer(model)
        try:
            # Given a file that is there, open_clip asks no hub; a file without any tensor ends its reader's iteration.
            made = open_clip.create_model_and_transforms(model, pretrained=str(weights), weights_only=True)
        except (SafetensorError, RuntimeError, OSError, ValueError, StopIteration) as error:
            reason = next(iter(str(error).splitlines()), "it is empty")
            raise BadInput(
                f"{weights} does not hold a {model}: {reason}", remedy="clapboard weights verify clip"
            ) from error
        self._model, _, self._preprocess = made
        self._model.eval().to(self._device)
        self.scale = float(self._model.logit_scale.exp().detach())
        self._forward = Batcher(self._encode, size=BATCH)

    def embed_images(self, images: NDArray[np.uint8]) -> Embeddings:
        """Embed (n, height, width, 3) RGB images; they are prepared in the caller's thread."""
        from PIL import Image

        return self._forward(np.stack([self._preprocess(Image.fromarray(one)).numpy() for one in images]))

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embed n texts."""
        import torch

        parts = []
        for first in range(0, len(texts), BATCH):
            tokens = self._tokenize(list(texts[first : first + BATCH])).to(self._device)
            with torch.inference_mode():
                parts.append(self._model.encode_text(tokens, normalize=True).float().cpu().numpy())
        return np.concatenate(parts)

    def _encode(self, pixels: NDArray[np.float32]) -> Embeddings:
        import torch

        with torch.inference_mode(), half_on_gpu(self._device):
            made = self._model.encode_image(torch.from_numpy(pixels).to(self._device), normalize=True)
        return np.asarray(made.float().cpu().numpy())
