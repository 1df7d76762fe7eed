"""CLAP through transformers: LAION's weights without laion-clap.

A second implementation beside laion-clap, for Pythons that laion-clap is not built for and for those who want neither
its pickles nor its import-time look-ups.
"""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.encoders.base import Embeddings, best_device, half_on_gpu
from curation.encoders.batching import Batcher
from curation.encoders.clap_common import BATCH, MAX_TOKENS, RATE_HZ, in_batches, load_tokenizer, refuse_long
from shards.errors import BadInput

PICKLED = "pytorch_model.bin"


class TransformersClapEncoder:
    """`transformers.ClapModel` from a local folder as an `AudioTextEncoder`.

    `folder` holds `config.json`, `model.safetensors` (or else `pytorch_model.bin`, read as tensors alone), and the
    tokenizer's `vocab.json` and `merges.txt`. A `model` that is given stands in for the weights.

    Raises:
        BadInput: a file is missing or not what it should be.
    """

    rate_hz = RATE_HZ

    def __init__(self, folder: Path, *, model: Any = None, device: str | None = None) -> None:
        from transformers import ClapFeatureExtractor

        self._tokenizer = load_tokenizer(folder)
        self._device = device or best_device()
        self._model = (model or _load(folder)).eval().to(self._device)
        # Short sounds are repeated and long ones refused, so the fusion of several parts never happens.
        self._features = ClapFeatureExtractor(padding="repeatpad", truncation="rand_trunc")
        self.scale = float(self._model.logit_scale_a.exp().detach())
        self._forward = Batcher(self._encode, size=BATCH)

    def embed_sounds(self, sounds: NDArray[np.float32]) -> Embeddings:
        """Embed (n, samples) mono sounds at 48 kHz; their spectrograms are made in the caller's thread.

        Raises:
            BadInput: longer than ten seconds, of which a random part would be taken.
        """
        refuse_long(sounds)
        made = self._features(list(sounds), sampling_rate=self.rate_hz, return_tensors="np")
        return self._forward(np.asarray(made["input_features"], np.float32))

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embed n texts, each cut at 77 tokens as laion-clap does."""
        return in_batches(texts, self._embed_texts)

    def _embed_texts(self, texts: list[str]) -> Embeddings:
        tokens = self._tokenizer(
            texts, padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        ).to(self._device)
        return _unit(self._model.get_text_features(tokens["input_ids"], attention_mask=tokens["attention_mask"]))

    def _encode(self, features: NDArray[np.float32]) -> Embeddings:
        import torch

        with torch.inference_mode(), half_on_gpu(self._device):
            made = self._model.get_audio_features(
                torch.from_numpy(features).to(self._device), is_longer=torch.zeros(len(features), 1, dtype=torch.bool)
            )
        return _unit(made)


def _unit(made: Any) -> Embeddings:
    rows = getattr(made, "pooler_output", made).float().cpu().numpy()
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), np.float32)


def _load(folder: Path) -> Any:
    from transformers import ClapModel

    safe = (folder / "model.safetensors").is_file()
    missing = [
        name for name in ("config.json", "model.safetensors" if safe else PICKLED) if not (folder / name).is_file()
    ]
    if missing:
        raise BadInput(f"{folder} has no {missing[0]}", remedy="clapboard weights fetch clap_transformers")
    try:
        model, report = ClapModel.from_pretrained(
            str(folder), local_files_only=True, use_safetensors=safe, weights_only=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, pickle.UnpicklingError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise BadInput(
            f"{folder} does not hold a CLAP: {reason}", remedy="clapboard weights verify clap_transformers"
        ) from error
    # transformers would go on with random weights in the place of missing ones.
    if report["missing_keys"] or report["mismatched_keys"]:
        lacking = sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]]))
        raise BadInput(f"{folder} lacks weights: {lacking[0]}", remedy="clapboard weights verify clap_transformers")
    return model
