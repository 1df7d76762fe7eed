"""How many bits of a number are set."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_OF_BYTE = np.array([number.bit_count() for number in range(256)], np.uint8)


def set_bits(words: NDArray[Any]) -> NDArray[np.uint8]:
    """The set bits of each unsigned number.

    NumPy counts them itself since 2.0; a plain installation beside laion-clap has 1.26 (docs/decisions/0001-pins.md).
    """
    return np.bitwise_count(words) if hasattr(np, "bitwise_count") else set_bits_by_table(words)


def set_bits_by_table(words: NDArray[Any]) -> NDArray[np.uint8]:
    """The same, byte by byte."""
    octets = np.ascontiguousarray(words)[..., None].view(np.uint8)
    return _OF_BYTE[octets].sum(axis=-1, dtype=np.uint8)
