"""An adapter on disk: `adapter.safetensors` with the weights, `adapter.json` with shapes and what it belongs to."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from shards.errors import BadInput
from shards.files import write_atomic
from training.adapter.config import AdapterConfig
from training.adapter.layer import AudioAdapter

WEIGHTS = "adapter.safetensors"
DESCRIPTION = "adapter.json"


@dataclass(frozen=True, slots=True)
class SavedAdapter:
    """A loaded adapter and the notes saved with it (backbone, snapshots, step, ...)."""

    adapter: AudioAdapter
    notes: dict[str, Any]


def save_adapter(folder: Path, config: AdapterConfig, weights: dict[str, Tensor], *, notes: dict[str, Any]) -> None:
    """Write an adapter; the description comes last, so a folder that has one is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    write_atomic(folder / WEIGHTS, safetensors.torch.save(plain))
    description = {"config": json.loads(config.to_json()), "notes": notes}
    write_atomic(folder / DESCRIPTION, json.dumps(description, indent=2, sort_keys=True).encode())


def read_notes(folder: Path) -> dict[str, Any]:
    """What was noted with an adapter, without its weights."""
    notes: dict[str, Any] = _description(folder)["notes"]
    return notes


def load_adapter(folder: Path) -> SavedAdapter:
    """Read an adapter.

    Raises:
        BadInput: the folder holds none, or weights that do not fit their description.
    """
    if not (folder / DESCRIPTION).is_file() or not (folder / WEIGHTS).is_file():
        raise BadInput(f"{folder} holds no adapter", remedy="name a run's folder; `clapboard train` makes one")
    description = _description(folder)
    adapter = AudioAdapter(AdapterConfig.from_json(json.dumps(description["config"])))
    try:
        adapter.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise BadInput(
            f"the weights in {folder} do not fit their description", remedy="train again; the files were changed"
        ) from error
    return SavedAdapter(adapter, description["notes"])


def _description(folder: Path) -> Any:
    return json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
