"""How many threads a small network gets."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """torch computes in the calling thread alone, and as before afterwards; other threads keep what they have.

    Videos are scored side by side, while workers decode on all cores. A small network that asks for every core as well
    waits for them longer than it computes.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
