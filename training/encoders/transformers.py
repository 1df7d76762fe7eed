"""Encoders that the transformers library knows: wav2vec 2.0, AST, PE-Audio. Weights are a folder, safetensors only.

Layer n is the n-th of the library's `hidden_states`, counted from the embeddings (0).

- `wav2vec2` (Baevski et al. 2020, Apache-2.0): columns of 25 ms every 20 ms;
- `ast` (Gong et al. 2021, BSD-3): patches of 175 ms every 100 ms, 12 frequencies; 10 s at most;
- `pe-audio` (Perception Encoder audio, Apache-2.0): columns of 40 ms, from 48 kHz.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shards.errors import BadInput
from training.encoders.base import FeatureBank, LayerSpec, unit_scale
from training.encoders.checkpoint import found
from training.encoders.sound import covering, resampled
from training.encoders.weighted import WeightedEncoder


@dataclass(frozen=True, slots=True)
class Family:
    """What differs between encoders.

    Attributes:
        model: the library's class.
        source: a repository of the hub with published weights.
        licence: of those weights.
        layers: the usual ones.
        blocks: the last layer of the published weights.
        width, tokens: numbers in a row, and rows in a column, of the published weights.
        rate_hz, hop_s, width_s: its clock.
        columns: seconds -> columns.
        grid: hidden states (1, rows, width) and columns -> (columns, tokens, width).
    """

    model: str
    source: str
    licence: str
    layers: tuple[int, ...]
    blocks: int
    width: int
    tokens: int
    rate_hz: int
    hop_s: float
    width_s: float
    columns: Callable[[float], int]
    grid: Callable[[Tensor, int], Tensor]


def _strip(states: Tensor, columns: int) -> Tensor:
    return _stretched(states[0], columns)[:, None]


def _behind_class_token(states: Tensor, columns: int) -> Tensor:
    return _stretched(states[0, 1:] if states.shape[1] > columns else states[0], columns)[:, None]


def _patches(states: Tensor, columns: int) -> Tensor:
    # Class and distillation token, then 12 frequencies of all times each.
    rows = states[0, 2:]
    return rows.reshape(12, -1, rows.shape[-1]).transpose(0, 1)[:columns]


def _stretched(rows: Tensor, columns: int) -> Tensor:
    """Exactly so many rows; the last one again where the library gave one fewer."""
    return torch.cat([rows, rows[-1:].expand(max(columns - len(rows), 0), -1)])[:columns]


FAMILIES = {
    "wav2vec2": Family(
        "Wav2Vec2Model", "facebook/wav2vec2-base", "Apache-2.0", (4, 8, 12), 12, 768, 1, 16_000, 0.02, 0.025,
        columns=lambda seconds: covering(seconds, hop_s=0.02, width_s=0.025), grid=_strip,
    ),
    "ast": Family(
        "ASTModel", "MIT/ast-finetuned-audioset-10-10-0.4593", "BSD-3-Clause", (4, 8, 12), 12, 768, 12, 16_000, 0.1,
        0.175, grid=_patches,
        columns=lambda seconds: min(covering(seconds, hop_s=0.1, width_s=0.175), 101),
    ),
    "pe-audio": Family(
        "PeAudioEncoder", "facebook/pe-av-base", "Apache-2.0", (2, 4, 6), 6, 1792, 1, 48_000, 0.04, 0.04,
        columns=lambda seconds: max(-(-round(seconds * 48_000) // 1920), 1), grid=_behind_class_token,
    ),
}  # fmt: skip


class TransformersEncoder(WeightedEncoder[Any]):
    """One of `FAMILIES`, from a folder as `save_pretrained` writes it."""

    def __init__(
        self, name: str, layers: tuple[int, ...] = (), weights: Path | None = None, *, device: str = "cpu"
    ) -> None:
        self.name, self._family = name, FAMILIES[name]
        self.source = f"the hub ({self._family.source})"
        self.licence, self.rate_hz = self._family.licence, self._family.rate_hz
        self.hop_s, self.width_s = self._family.hop_s, self._family.width_s
        self._width, blocks = self._family.width, self._family.blocks
        if weights is not None:
            config = self._read_config(found(weights, name=name, source=self.source))
            self._width, blocks = config.hidden_size, config.num_hidden_layers
        super().__init__(layers or self._family.layers, weights, device=device, there=range(blocks + 1))
        self._extract: Any = None

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """The chosen layers; their width is the folder's where one is named."""
        return tuple(LayerSpec(str(layer), self._family.tokens, self._width) for layer in self._chosen)

    def columns(self, duration_s: float) -> int:
        """Columns until the end of the sound is covered; silence fills the last."""
        return self._family.columns(duration_s)

    def encode(self, waveform: NDArray[np.float32], rate_hz: int) -> FeatureBank:
        """Hidden states (time, tokens, width) of each chosen layer, normalised."""
        sound = resampled(waveform, rate_hz, self.rate_hz)
        columns = self.columns(len(waveform) / rate_hz)
        covered = round(((columns - 1) * self.hop_s + self.width_s) * self.rate_hz)
        sound = torch.nn.functional.pad(sound, (0, max(covered - len(sound), 0)))
        model = self._loaded()
        given = self._extract(sound.numpy(), sampling_rate=self.rate_hz, return_tensors="pt")
        with torch.no_grad():
            states = model(given["input_values"].to(self._device), output_hidden_states=True).hidden_states
        layers = {str(layer): unit_scale(self._family.grid(states[layer], columns)) for layer in self._chosen}
        return FeatureBank(layers, self.hop_s, self.width_s)

    def _read_config(self, folder: Path) -> Any:
        import transformers

        if not (folder / "config.json").is_file():
            # The library would take its own defaults instead.
            raise BadInput(f"{folder} is no {self.name}: it has no config.json", remedy=self._remedy)
        with self._refusing(folder):
            kind = getattr(transformers, self._family.model).config_class
            return kind.from_pretrained(folder, local_files_only=True)

    def _load(self) -> Any:
        import transformers

        transformers.utils.logging.disable_progress_bar()
        kind, folder = getattr(transformers, self._family.model), self._place
        with self._refusing(folder):
            self._extract = transformers.AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
            return kind.from_pretrained(folder, local_files_only=True, use_safetensors=True)

    @contextmanager
    def _refusing(self, folder: Path) -> Iterator[None]:
        """Say in our words what the library says of a folder."""
        try:
            yield
        except (OSError, ValueError) as error:
            said = str(error).splitlines()[0]
            raise BadInput(f"{folder} is no {self.name}: {said}", remedy=self._remedy) from error
