"""What an audio encoder is: frozen features of several layers on one common time axis.

"Multi-feature conditioning" takes several layers of each encoder, so that a frame hears both detail and meaning
[paper]. Features leave the encoder at about unit scale; the adapter then needs no norm of its own [ours].
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """Shape of one layer's features at one instant: `tokens` rows of `width` numbers."""

    name: str
    tokens: int
    width: int


@dataclass(frozen=True, slots=True)
class FeatureBank:
    """Features of one stretch of sound.

    Attributes:
        layers: by name, float32 tensors (time, tokens, width), all with the same time.
        hop_s, width_s: column i covers [i hop_s, i hop_s + width_s] of the sound.
    """

    layers: dict[str, torch.Tensor]
    hop_s: float
    width_s: float


class AudioEncoder(Protocol):
    """A frozen encoder; its shapes are known before its weights are loaded.

    Attributes:
        licence: what its published weights may be used for.
    """

    name: str
    licence: str
    rate_hz: int
    hop_s: float
    width_s: float

    @property
    def version(self) -> str:
        """Changes whenever its numbers would.

        Raises:
            Unavailable: it has no weights here.
        """
        ...

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """The layers it gives, in order."""
        ...

    def columns(self, duration_s: float) -> int:
        """How many columns a sound of this length gives."""
        ...

    def encode(self, waveform: NDArray[np.float32], rate_hz: int) -> FeatureBank:
        """Features, on the CPU, of a mono waveform (samples,) in [-1, 1]; other rates than `rate_hz` are resampled."""
        ...

    def check_weights(self) -> None:
        """See that its weights are here, without reading them.

        Raises:
            Unavailable: they are not.
        """
        ...

    def release(self) -> None:
        """Forget the weights; they come back when asked again."""
        ...


def unit_scale(rows: torch.Tensor) -> torch.Tensor:
    """Hidden states, on the CPU, each row of mean 0 and spread 1: some layers' outliers would overflow float16."""
    return torch.nn.functional.layer_norm(rows.float(), rows.shape[-1:]).cpu()
