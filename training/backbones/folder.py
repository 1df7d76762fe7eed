"""Parts of a diffusers folder: read, loaded and named by their content. Safetensors only, never pickles."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shards.errors import BadInput, Unavailable


def read_json(path: Path) -> dict[str, Any]:
    """A part's configuration.

    Raises:
        Unavailable: there is none.
    """
    if not path.is_file():
        raise Unavailable(
            f"{path} is missing", remedy="name a folder as diffusers' save_pretrained writes it: --set weights=FOLDER"
        )
    return dict(json.loads(path.read_text(encoding="utf-8")))


def load_part(kind: Any, folder: Path, *, device: str = "cpu", half: bool = False) -> Any:
    """A frozen part of a pipeline, in float32 or bf16; what its class keeps in float32 stays so.

    Raises:
        Unavailable: it is not there, or not as safetensors.
        BadInput: its weights do not fit its configuration.
    """
    read_json(folder / "config.json")
    if not any(folder.glob("*.safetensors")):
        raise Unavailable(
            f"{folder} has no safetensors", remedy="convert it once: save_pretrained(..., safe_serialization=True)"
        )
    _quietly(kind)
    # transformers and diffusers name the same setting differently.
    setting = "dtype" if kind.__module__.startswith("transformers") else "torch_dtype"
    precision = {setting: torch.bfloat16 if half else torch.float32}
    try:
        part = kind.from_pretrained(folder, local_files_only=True, use_safetensors=True, **precision)
    except (OSError, ValueError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise BadInput(f"{folder} cannot be loaded: {first}", remedy="fetch the weights anew") from error
    return part.to(device).requires_grad_(False).eval()


def _quietly(kind: Any) -> None:
    """The libraries' bars of files and tensors say nothing that a person at this command wants to know."""
    if kind.__module__.startswith("transformers"):
        from transformers.utils.logging import disable_progress_bar
    else:
        from diffusers.utils.logging import disable_progress_bar
    disable_progress_bar()


def version_of(folder: Path) -> str:
    """A digest of a part's configuration and of its files' names and sizes."""
    config = read_json(folder / "config.json")
    files = sorted((path.name, path.stat().st_size) for path in folder.glob("*.safetensors"))
    return hashlib.sha256(json.dumps([config, files], sort_keys=True).encode()).hexdigest()[:16]


def pixels_of(frames: NDArray[np.uint8]) -> Tensor:
    """(frames, h, w, 3) bytes -> (3, frames, h, w) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).float().permute(3, 0, 1, 2) / 127.5 - 1


def to_pixels(levels: Tensor) -> NDArray[np.uint8]:
    """(3, frames, h, w) in [-1, 1] -> (frames, h, w, 3) bytes."""
    pixels = ((levels.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    frames: NDArray[np.uint8] = pixels.permute(1, 2, 3, 0).cpu().numpy()
    return frames
