"""What both implementations of CLAP share: its limits, its tokenizer, and how texts go in."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.encoders.base import Embeddings
from shards.errors import BadInput

RATE_HZ = 48_000
MAX_SAMPLES = 480_000
"""Ten seconds; CLAP hears no more at once."""

MAX_TOKENS = 77
VOCABULARY = 50_265
BATCH = 16
TEXT_BATCH = 64


def refuse_long(sounds: NDArray[np.float32]) -> None:
    """Check that all of (n, samples) sounds at 48 kHz would be heard.

    Raises:
        BadInput: they are longer than ten seconds, of which either implementation would take a random part.
    """
    if sounds.shape[1] > MAX_SAMPLES:
        raise BadInput(
            f"{sounds.shape[1]} samples are more than CLAP hears", remedy="give parts of ten seconds at most"
        )


def in_batches(texts: Sequence[str], embed: Callable[[list[str]], Embeddings]) -> Embeddings:
    """The rows of all texts, of which `embed` is given a batch at a time."""
    import torch

    with torch.inference_mode():
        parts = [embed(list(texts[first : first + TEXT_BATCH])) for first in range(0, len(texts), TEXT_BATCH)]
    return np.concatenate(parts).astype(np.float32)


def load_tokenizer(folder: Path) -> Any:
    """roberta-base's tokenizer from local files.

    Raises:
        BadInput: files are missing, or its vocabulary has not 50,265 entries.
    """
    from transformers import RobertaTokenizer

    files = (folder / "vocab.json", folder / "merges.txt")
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise BadInput(f"{folder} has no {missing[0]}", remedy="clapboard weights fetch clap")
    tokenizer = RobertaTokenizer.from_pretrained(str(folder))
    if len(tokenizer) != VOCABULARY:
        raise BadInput(
            f"the tokenizer in {folder} knows {len(tokenizer)} tokens, not {VOCABULARY}",
            remedy="clapboard weights verify clap",
        )
    return tokenizer
