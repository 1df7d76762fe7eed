"""What published backbones share: a network that is there and frozen, and a folder of parts, each loaded when asked."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from shards.errors import Unavailable
from training.backbones.folder import load_part


class FrozenNetwork:
    """A generator: nothing in it learns, and it is there or said to be missing.

    Attributes:
        clean_first: as of `Backbone`.
    """

    clean_first = True
    _network: Any = None

    @property
    def network(self) -> nn.Module:
        """The generator itself."""
        if self._network is None:
            self.network = self._unloaded()
        network: nn.Module = self._network
        return network

    @network.setter
    def network(self, network: nn.Module) -> None:
        self._network = network.requires_grad_(False).eval()

    def _unloaded(self) -> nn.Module:
        """The generator before `load_weights`: most are none."""
        raise RuntimeError("the backbone's weights were not loaded: call load_weights")

    @property
    def condition_shapes(self) -> dict[str, tuple[int, ...]]:
        """The first latent is all."""
        return {}

    def encode_condition(self, picture: NDArray[np.uint8]) -> dict[str, Tensor]:  # noqa: ARG002
        """The first latent is all."""
        return {}


class FolderOfParts(ABC):
    """Published weights in a folder; the network is loaded by `load_weights`, codec and words when they are asked.

    Attributes:
        name: of the backbone.
        folder: where its parts lie, if that is known.
        half: whether its network computes in bf16.
        device: of codec and words.
        remedy: where to get the weights.
    """

    name: str
    folder: Path | None
    half: bool
    device: str
    remedy: str
    _codec: Any = None
    _words: tuple[Any, Any] | None = None

    @abstractmethod
    def load_weights(self, folder: Path) -> None:
        """Load the frozen network."""

    @abstractmethod
    def pipeline(self) -> Any:
        """diffusers' own pipeline around network and codec, its scheduler walking as we do; words come encoded."""

    @abstractmethod
    def times_of(self, scheduler: Any) -> list[float]:
        """Our times, from noise to data, of the steps that such a scheduler was set to."""

    def weights_dir(self) -> Path:
        """The folder."""
        return self._folder

    def release_codec(self) -> None:
        """Forget VAE and text encoder."""
        self._codec = self._words = None

    @property
    def _folder(self) -> Path:
        if self.folder is None:
            raise Unavailable(f"the weights of {self.name} are not on this machine", remedy=self.remedy)
        return self.folder

    @abstractmethod
    def _codec_kind(self) -> Any:
        """The class of the VAE."""

    def vae(self) -> Any:
        """The codec."""
        if self._codec is None:
            self._codec = load_part(self._codec_kind(), self._folder / "vae", device=self.device)
        return self._codec
