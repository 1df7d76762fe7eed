"""What lives: bytes of the tensors made within a block that somebody still holds."""

from typing import Any

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the memory of every tensor that is made while the mode is on; works on shapes alone too."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._made: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and note what it makes; views share the memory of what they show."""
        given = {_key(one) for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)}
        made = func(*args, **(kwargs or {}))
        for one in tree_leaves(made):
            if isinstance(one, Tensor) and _key(one) not in given:
                storage = one.untyped_storage()
                self._made[_key(one)] = StorageWeakRef(storage), storage.nbytes()  # type: ignore[no-untyped-call]
        return made

    def count(self) -> int:
        """Bytes that are still held."""
        alive = [size for reference, size in self._made.values() if not reference.expired()]  # type: ignore[no-untyped-call]
        return sum(alive)


def _key(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
