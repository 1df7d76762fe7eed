"""Other people's checkpoints: read as tensors and plain numbers, nothing in them is called or built; loaded whole."""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shards.errors import BadInput


def read_tensors(path: Path, *, remedy: str, within: str = "", without: Sequence[str] = ()) -> dict[str, Any]:
    """The tensors of a checkpoint by name, at the top or under the key `within`; of safetensors or of a pickle.

    Training leaves more in a checkpoint than the model: the optimiser's numbers are read, and what is named in
    `without` (classes by their full name, such as those of a configuration) becomes an empty dictionary.

    Raises:
        BadInput: there is anything else in it, or it is cut short.
    """
    read = _read_safetensors if path.suffix == ".safetensors" else _read_pickle
    try:
        loaded = read(path, without)
        return dict(loaded.get(within, loaded) if within else loaded)
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, AttributeError, TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, OSError) else "it holds something else, or is cut short"
        raise BadInput(f"{path} is no checkpoint of tensors and numbers: {reason}", remedy=remedy) from error


def fill(module: Any, tensors: Mapping[str, Any], *, what: str, remedy: str) -> None:
    """Load every weight of a `torch.nn.Module`; a part left at random would give numbers that look right and mean
    nothing.

    Raises:
        BadInput: weights are missing, too many, or of another shape; `what` names the model that they are not of.
    """
    try:
        module.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        faults = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
        raise BadInput(f"the checkpoint is not of {what}: {faults[0][:200]}", remedy=remedy) from error


def _read_safetensors(path: Path, _: Sequence[str]) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _read_pickle(path: Path, without: Sequence[str]) -> Any:
    import torch

    number_types = [type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8")]
    # numpy 1 and 2 write the same function under two names.
    numbers = [(_plain_number, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    left_out = [(_LeftOut, name) for name in without]
    with torch.serialization.safe_globals([*numbers, (np.dtype, "numpy.dtype"), *number_types, *left_out]):
        return torch.load(path, map_location="cpu", weights_only=True)


class _LeftOut(dict[Any, Any]):
    """Stands for whatever was left out; takes all that a pickle gives it, and forgets it."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def __setstate__(self, state: object) -> None: ...

    def __setitem__(self, key: object, value: object) -> None: ...


def _plain_number(dtype: Any, data: bytes) -> Any:
    """What `numpy.core.multiarray.scalar` does for numbers; for objects that would unpickle `data` in old numpy."""
    if dtype.kind not in "fiub":
        raise pickle.UnpicklingError(f"a scalar of kind {dtype.kind!r}")
    return np.frombuffer(data, dtype)[0]
