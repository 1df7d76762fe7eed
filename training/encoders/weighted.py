"""What encoders with weights have in common: layers that must be there, and weights that come at the first sound."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Generic, TypeVar

from torch import nn

from shards.errors import BadInput
from training.encoders.checkpoint import digest_of, found

Model = TypeVar("Model", bound=nn.Module)


class WeightedEncoder(ABC, Generic[Model]):
    """An encoder whose weights lie in a file or folder; they are read when `_loaded` is first called.

    Attributes:
        name: its name in the registry.
        source: where its published weights are.
    """

    name: str
    source: str

    def __init__(self, layers: tuple[int, ...], weights: Path | None, *, device: str, there: range) -> None:
        self._chosen, self._weights, self._device = checked_layers(self.name, layers, there), weights, device
        self._model: Model | None = None

    @property
    def version(self) -> str:
        """The digest of the weights.

        Raises:
            Unavailable: there are none here.
        """
        return f"{self.name}-2 {digest_of(self._place)}"

    def check_weights(self) -> None:
        """See that the file or folder is here.

        Raises:
            Unavailable: it is not.
        """
        _ = self._place

    def release(self) -> None:
        """Forget the weights."""
        self._model = None

    @property
    def _place(self) -> Path:
        return found(self._weights, name=self.name, source=self.source)

    @property
    def _remedy(self) -> str:
        return f"fetch it anew: {self.source}"

    def _loaded(self) -> Model:
        if self._model is None:
            self._model = self._load().requires_grad_(False).eval().to(self._device)
        return self._model

    @abstractmethod
    def _load(self) -> Model:
        """The model with its weights, on the CPU."""


def checked_layers(name: str, layers: tuple[int, ...], there: range) -> tuple[int, ...]:
    """The layers, if an encoder has them all and each is named once.

    Raises:
        BadInput: it does not, or one is named twice.
    """
    for layer in layers:
        if layer not in there:
            raise BadInput(f"{name} has no layer {layer}", remedy=f"choose layers from {there[0]} to {there[-1]}")
    if len(set(layers)) < len(layers):
        raise BadInput(f"{name} is asked for a layer twice: {list(layers)}", remedy="name each layer once")
    return layers
