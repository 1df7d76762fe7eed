"""Published checkpoints of encoders: read as tensors alone, matched name by name, versioned by their digest."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from shards.errors import BadInput, Unavailable
from shards.files import sha256_of


def found(path: Path | None, *, name: str, source: str) -> Path:
    """The file or folder, if it is there.

    Raises:
        Unavailable: none was named, or it is not there.
    """
    if path is None or not path.exists():
        raise Unavailable(
            f"the weights of {name} are not on this machine" if path is None else f"there is no {path}",
            remedy=f"get them from {source} and say where: --set 'encoders=[{{name: {name}, weights: PATH}}]'",
        )
    return path


def read_checkpoint(path: Path | None, *, name: str, source: str) -> dict[str, Any]:
    """The content of a `.pt`, `.pth` or `.safetensors` file. Pickles are read as plain tensors; no code in them runs.

    Raises:
        Unavailable: no file was named, or it is not there.
        BadInput: it is no checkpoint, or holds more than tensors and plain values.
    """
    file = found(path, name=name, source=source)
    try:
        if file.suffix == ".safetensors":
            import safetensors.torch

            return dict(safetensors.torch.load_file(file))
        return dict(torch.load(file, map_location="cpu", weights_only=True))
    except Exception as error:  # torch says many things about files that are no checkpoints
        said = str(error).splitlines()[0]
        raise BadInput(f"{file} cannot be read as a checkpoint: {said}", remedy=f"fetch it anew: {source}") from error


def fill(module: nn.Module, tensors: dict[str, Tensor], *, name: str) -> None:
    """Load tensors that must match the module's names and shapes exactly.

    Raises:
        BadInput: they do not.
    """
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        first = [line.strip() for line in str(error).splitlines()[1:2]]
        raise BadInput(
            f"this is no checkpoint of {name}: {' '.join(first)}", remedy="use the file that its authors published"
        ) from error
    module.requires_grad_(False).eval()


def digest_of(path: Path) -> str:
    """A digest of a file, or of a folder's configuration and safetensors."""
    if path.is_dir():
        parts = [sha256_of(file) for file in sorted(path.glob("*.json")) + sorted(path.glob("*.safetensors"))]
        return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]
    return sha256_of(path)[:16]
