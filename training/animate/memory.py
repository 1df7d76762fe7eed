"""Too little memory, said in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from shards.errors import Unavailable

_SAYS = ("not enough memory", "can't allocate memory", "out of memory")


@contextmanager
def memory_told(device: str) -> Iterator[None]:
    """Turn what Python, torch and CUDA say when memory is used up into one error.

    Raises:
        Unavailable: there is too little memory for what the block does.
    """
    try:
        yield
    except MemoryError as error:
        raise _too_little("this machine", "a shorter sound, or a machine with more of it") from error
    except RuntimeError as error:
        # torch has a class of its own for the GPU, and none for the processor.
        if isinstance(error, torch.OutOfMemoryError):
            raise _too_little(f"the device {device}", "--offload, or end what else uses it, or --device cpu") from error
        if any(words in str(error).lower() for words in _SAYS):
            raise _too_little("this machine", "end what else runs, or take a machine with more of it") from error
        raise


def _too_little(where: str, remedy: str) -> Unavailable:
    return Unavailable(f"{where} has too little memory to make this video", remedy=remedy)
