"""Checkpoints: adapter, its average, optimiser and step, whole or not at all, without pickles.

    RUN/checkpoints/000080/  tensors.safetensors  state.json
    RUN/checkpoints/best/    average.safetensors

All randomness follows from (seed, step), so these are all of a run's state; a run that goes on from one gives the same
losses, bit for bit on a CPU, as one that was never stopped.
"""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from shards.files import write_atomic

TENSORS = "tensors.safetensors"
STATE = "state.json"
AVERAGE = "average.safetensors"


@dataclass(slots=True)
class History:
    """What happened in a run: the loss of every step, and probes as (step, what they said)."""

    losses: list[float] = field(default_factory=list)
    probes: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def probes_since_best(self) -> int:
        """How many probes came after the one that heard best: with the widest gap between moved and true sound.

        Not the one with the lowest loss: a model may get better at pictures while it unlearns to listen.
        """
        if not self.probes:
            return 0
        gaps = [probe["shift_gap"] for _, probe in self.probes]
        return len(gaps) - 1 - gaps.index(max(gaps))

    def newest_is_best(self) -> bool:
        """Whether no probe heard better than the newest."""
        return bool(self.probes) and self.probes_since_best() == 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A run after `step` steps.

    Attributes:
        step: steps taken.
        adapter, average: weights and their moving average, by name.
        optimiser: "parameter number/slot" -> tensor of AdamW's moments.
        history: losses and probes so far.
    """

    step: int
    adapter: dict[str, Tensor]
    average: dict[str, Tensor]
    optimiser: dict[str, Tensor]
    history: History


def save_checkpoint(folder: Path, checkpoint: Checkpoint, *, keep: int) -> None:
    """Write a checkpoint under `folder` and drop all but the newest `keep`."""
    final = folder / f"{checkpoint.step:06d}"
    aside = folder / f".{final.name}.part"
    shutil.rmtree(aside, ignore_errors=True)
    parts = {"adapter": checkpoint.adapter, "average": checkpoint.average, "optimiser": checkpoint.optimiser}
    tensors = {
        f"{part}|{name}": tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for part, held in parts.items()
        for name, tensor in held.items()
    }
    write_atomic(aside / TENSORS, safetensors.torch.save(tensors))
    state = {"step": checkpoint.step, "losses": checkpoint.history.losses, "probes": checkpoint.history.probes}
    write_atomic(aside / STATE, json.dumps(state).encode())
    shutil.rmtree(final, ignore_errors=True)
    aside.rename(final)
    for old in _checkpoints(folder)[:-keep]:
        shutil.rmtree(old)


def newest_checkpoint(folder: Path) -> Checkpoint | None:
    """The whole checkpoint with the most steps, or None; a damaged one is passed over."""
    for path in reversed(_checkpoints(folder)):
        try:
            return _read(path)
        except (OSError, ValueError, KeyError, SafetensorError):
            # The run goes on from an older one, and takes the same steps again.
            continue
    return None


def _read(folder: Path) -> Checkpoint:
    tensors = safetensors.torch.load_file(folder / TENSORS)
    state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    parts: dict[str, dict[str, Tensor]] = {"adapter": {}, "average": {}, "optimiser": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition("|")
        parts[part][rest] = tensor
    history = History(state["losses"], [(step, said) for step, said in state["probes"]])
    return Checkpoint(state["step"], **parts, history=history)


def save_average(folder: Path, average: dict[str, Tensor]) -> None:
    """Keep averaged weights apart from the checkpoints that come and go."""
    tensors = {name: tensor.detach().cpu().clone() for name, tensor in average.items()}
    write_atomic(folder / AVERAGE, safetensors.torch.save(tensors))


def load_average(folder: Path) -> dict[str, Tensor]:
    """What `save_average` kept."""
    return dict(safetensors.torch.load_file(folder / AVERAGE))


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """AdamW's moments and step counts by "parameter number/slot"."""
    state: dict[int, dict[str, Tensor]] = optimiser.state_dict()["state"]
    return {f"{number}/{slot}": tensor for number, slots in state.items() for slot, tensor in slots.items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put moments and step counts back."""
    state: dict[str, Any] = optimiser.state_dict()
    state["state"] = {}
    for name, tensor in tensors.items():
        number, _, slot = name.partition("/")
        state["state"].setdefault(int(number), {})[slot] = tensor
    optimiser.load_state_dict(state)


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("[0-9]*") if (path / STATE).is_file())
