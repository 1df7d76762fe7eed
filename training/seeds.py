"""Randomness as arithmetic: every draw is a pure function of (seed, purpose, counter) [ours].

So a resumed run needs no generator state, and two runs can be compared sample by sample.
"""

import zlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


def numpy_generator(seed: int, purpose: str, counter: int) -> np.random.Generator:
    """A NumPy generator for one draw."""
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), counter]))


def torch_generator(seed: int, purpose: str, counter: int) -> "torch.Generator":
    """A Torch CPU generator for one draw."""
    import torch

    state = np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), counter]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))


def shuffled(count: int, *, seed: int, purpose: str, epoch: int) -> NDArray[np.int64]:
    """(count,) the order of `count` items in one epoch."""
    return numpy_generator(seed, purpose, epoch).permutation(count)
