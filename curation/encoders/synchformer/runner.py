"""Synchformer at work: weights from where they lie, segments of one video in small batches, posteriors as numbers."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.encoders.base import best_device
from curation.encoders.synchformer.network import Synchformer, network_of
from curation.encoders.synchformer.sound import log_mel
from shards.checkpoint import read_tensors
from shards.errors import BadInput
from shards.weights import require, status

OFFSET, SYNCHRONISABLE = "synchformer", "synchformer_synchronisable"
"""Names of the sets of weights; the second is optional."""

BATCH = 8
"""Segments at a time: about half a GB of activations."""

CONFIGURATION = (
    *(f"omegaconf.{name}" for name in ("dictconfig.DictConfig", "listconfig.ListConfig")),
    *(f"omegaconf.base.{name}" for name in ("ContainerMetadata", "Metadata")),
    *(f"omegaconf.nodes.{name}" for name in ("AnyNode", "StringNode", "IntegerNode", "FloatNode", "BooleanNode")),
    *("typing.Any", "collections.defaultdict", "builtins.dict", "builtins.list", "builtins.int"),
)
"""What the released checkpoints hold beside tensors and numbers: their configuration, which is left out."""


class SynchformerRunner:
    """The released networks, loaded at their first use; threads may share it.

    In float32 on a CPU, in half precision on a GPU, as their authors run them.
    """

    def __init__(self, *, device: str | None = None) -> None:
        self._device = device
        self._loading = threading.Lock()
        self._networks: tuple[Synchformer, Synchformer | None] | None = None

    def features(
        self, images: NDArray[np.uint8], sounds: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(n, 8, width) and (n, 6, width) from n segments: (n, 16, 224, 224, 3) at 25 Hz, (n, 10240) at 16 kHz."""
        import torch

        network = self._loaded()[0]
        with torch.inference_mode():
            banks = log_mel(torch.from_numpy(sounds))
            seen = [self._run(network.see, torch.from_numpy(images[at : at + BATCH])) for at in _starts(images)]
            heard = [self._run(network.hear, banks[at : at + BATCH]) for at in _starts(sounds)]
        return np.concatenate(seen), np.concatenate(heard)

    def offsets(self, seen: NDArray[np.float32], heard: NDArray[np.float32]) -> NDArray[np.float64]:
        """(21,) the posterior of one stretch, from -2 s (the sound is late) to +2 s (it is early)."""
        return self._posterior(self._loaded()[0], seen, heard)

    def synchronisable(self, seen: NDArray[np.float32], heard: NDArray[np.float32]) -> float:
        """The fine-tuned network's probability that an offset could be told; NaN where its weights are not here."""
        network = self._loaded()[1]
        return float(self._posterior(network, seen, heard)[1]) if network else float("nan")

    def _posterior(
        self, network: Synchformer, seen: NDArray[np.float32], heard: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        import torch

        most = network.shape.segments
        with torch.inference_mode():
            logits = self._run(network.compare, *(torch.from_numpy(rows[None, :most]) for rows in (seen, heard)))[0]
        grown = np.exp(logits.astype(np.float64) - logits.max())
        return np.asarray(grown / grown.sum())

    def _run(self, part: Callable[..., Any], *rows: Any) -> NDArray[np.float32]:
        device = self._device or best_device()
        with _half_on_gpu(device):
            said: NDArray[np.float32] = part(*(one.to(device) for one in rows)).float().cpu().numpy()
        return said

    def _loaded(self) -> tuple[Synchformer, Synchformer | None]:
        with self._loading:
            if self._networks is None:
                first = self._load(OFFSET, head="off_head")
                second = self._load(SYNCHRONISABLE, head="sync_head") if status(SYNCHRONISABLE).present else None
                if second:
                    _share_towers(first, second)
                device = self._device or best_device()
                self._networks = first.to(device), second.to(device) if second else None
            return self._networks

    def _load(self, name: str, *, head: str) -> Synchformer:
        folder = require(name)
        files = sorted(folder.glob("*.pt*"))
        remedy = f"delete {folder}, then: clapboard weights add {name} PATH"
        if len(files) != 1:
            raise BadInput(f"{folder} holds {len(files)} checkpoints, and one is wanted", remedy=remedy)
        tensors = read_tensors(files[0], within="model", remedy=remedy, without=CONFIGURATION)
        network = network_of(tensors)
        if network.shape.head != head:
            raise BadInput(f"{files[0]} is of another task than {name}", remedy=remedy)
        return network


def _share_towers(first: Synchformer, second: Synchformer) -> None:
    """Let both look through the same towers: the second was fine-tuned with the first one's frozen.

    Raises:
        BadInput: it was not.
    """
    import torch

    theirs = second.state_dict()
    towers = ("vfeat_extractor.", "afeat_extractor.")
    own = {name: tensor for name, tensor in first.state_dict().items() if name.startswith(towers)}
    if not all(torch.equal(tensor, theirs[name]) for name, tensor in own.items()):
        raise BadInput(
            f"the weights of {SYNCHRONISABLE} were fine-tuned from others than those of {OFFSET}",
            remedy=f"clapboard weights add {OFFSET} PATH with the model it came from (24-01-04T16-39-21, AudioSet)",
        )
    second.vfeat_extractor, second.afeat_extractor = first.vfeat_extractor, first.afeat_extractor


def _starts(rows: Any) -> range:
    return range(0, len(rows), BATCH)


def _half_on_gpu(device: str) -> AbstractContextManager[object]:
    import torch

    return torch.autocast("cuda", torch.float16) if device.startswith("cuda") else nullcontext()
