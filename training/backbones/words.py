"""Words for generators that have no text encoder: each word of a caption is a fixed pseudo-random vector [ours]."""

import hashlib
import re

import torch
from torch import Tensor

WORDS, WORD_WIDTH = 8, 64
VERSION = "words-1"


def word_rows(caption: str) -> Tensor:
    """(8, 64): a row for each of the first eight words, whatever their case; zeros for no word."""
    rows = torch.zeros(WORDS, WORD_WIDTH)
    for place, word in enumerate(re.findall(r"\w+", caption.lower())[:WORDS]):
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:7])
        rows[place] = torch.randn(WORD_WIDTH, generator=torch.Generator().manual_seed(seed))
    return rows
