"""How many bits of a number are set."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_OF_BYTE = np.array([number.bit_count() for number in range(256)], np.uint8)


def set_bits(words: NDArray[Any]) -> NDArray[np.uint8]:
    """The set bits of each unsigned number.

    NumPy counts them itself since 2.0; a plain installation beside laion-clap has 1.26 (docs/decisions/0001-pins.md).
    """
    if not hasattr(np, "bitwise_count"):
        return set_bits_by_table(words)
    counted: NDArray[np.uint8] = np.asarray(np.bitwise_count(words), np.uint8)
    return counted


def set_bits_by_table(words: NDArray[Any]) -> NDArray[np.uint8]:
    """The same, byte by byte."""
    octets = np.ascontiguousarray(words)[..., None].view(np.uint8)
    counted: NDArray[np.uint8] = _OF_BYTE[octets].sum(axis=-1, dtype=np.uint8)
    return counted
