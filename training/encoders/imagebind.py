"""ImageBind's audio tower (Girdhar et al. 2023), after the paper and the names in its published checkpoint.

A vision transformer over a Kaldi filter bank of 2 s: 16x16 patches every 10, so 12 frequencies by 19 instants; a class
token; pre-norm blocks whose keys and values get one learned row more. Longer sounds are heard in stretches of 19
columns, the last of which ends with the sound. Layer n is the output of block n (1 to 12).

The published weights are CC BY-NC-SA 4.0: not for commercial use.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shards.checkpoint import fill, read_tensors
from training.encoders.base import FeatureBank, LayerSpec, unit_scale
from training.encoders.sound import FRAME_S, SHIFT_S, covering, kaldi_filter_bank, resampled
from training.encoders.weighted import WeightedEncoder

_FRAMES, _BANDS, _PATCH, _STRIDE = 204, 128, 16, 10
_TIMES, _FREQUENCIES = (_FRAMES - _PATCH) // _STRIDE + 1, (_BANDS - _PATCH) // _STRIDE + 1
_MEAN, _STD = -4.268, 9.138
_STRETCH_S = 2.0
_PREFIXES = {
    "modality_preprocessors.audio.cls_token": "start",
    "modality_preprocessors.audio.rgbt_stem.proj.": "patches.",
    "modality_preprocessors.audio.rgbt_stem.norm_layer.": "norm.",
    "modality_preprocessors.audio.pos_embedding_helper.pos_embed": "places",
    "modality_trunks.audio.blocks.": "blocks.",
}


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = nn.MultiheadAttention(width, heads, add_bias_kv=True, batch_first=True)
        self.norm_2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, rows: Tensor) -> Tensor:
        seen = self.norm_1(rows)
        rows = rows + self.attn(seen, seen, seen, need_weights=False)[0]
        grown = torch.nn.functional.gelu(self.mlp["fc1"](self.norm_2(rows)))
        added: Tensor = self.mlp["fc2"](grown)
        return rows + added


class ImageBindAudio(nn.Module):
    """The tower: (stretches, 128, 204) filter banks -> the output of every block, class token first."""

    def __init__(self, *, width: int = 768, blocks: int = 12, heads: int = 12) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, _PATCH, _STRIDE, bias=False)
        self.norm = nn.LayerNorm(width)
        self.start = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(torch.zeros(1, 1 + _TIMES * _FREQUENCIES, width))
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(blocks))

    def forward(self, banks: Tensor) -> list[Tensor]:
        """(stretches, 1 + 12 * 19, width) after each block."""
        rows = self.norm(self.patches(banks[:, None]).flatten(2).transpose(1, 2))
        rows = torch.cat([self.start.expand(len(rows), -1, -1), rows], dim=1) + self.places
        hidden_states = []
        for block in self.blocks:
            rows = block(rows)
            hidden_states.append(rows)
        return hidden_states


class ImageBindEncoder(WeightedEncoder[ImageBindAudio]):
    """Columns of 175 ms every 100 ms, 12 tokens each."""

    name = "imagebind"
    source = "https://github.com/facebookresearch/ImageBind (imagebind_huge.pth)"
    licence = "CC BY-NC-SA 4.0: not for commercial use"
    rate_hz = 16_000
    hop_s = _STRIDE * SHIFT_S
    width_s = (_PATCH - 1) * SHIFT_S + FRAME_S

    def __init__(
        self, layers: tuple[int, ...] = (), weights: Path | None = None, *, device: str = "cpu", **shape: int
    ) -> None:
        self._shape = {"width": 768, "blocks": 12, "heads": 12} | shape
        super().__init__(layers or (4, 8, 12), weights, device=device, there=range(1, self._shape["blocks"] + 1))

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """The chosen blocks."""
        return tuple(LayerSpec(str(layer), _FREQUENCIES, self._shape["width"]) for layer in self._chosen)

    def columns(self, duration_s: float) -> int:
        """Columns until the end of the sound is covered; what lies behind it is as for short sounds."""
        return covering(duration_s, hop_s=self.hop_s, width_s=self.width_s)

    def encode(self, waveform: NDArray[np.float32], rate_hz: int) -> FeatureBank:
        """Hidden states (time, 12, 768) of each chosen block, normalised."""
        sound = resampled(waveform, rate_hz, self.rate_hz)
        columns = self.columns(len(waveform) / rate_hz)
        firsts, hop = _stretches(columns), round(self.hop_s * self.rate_hz)
        length = round(_STRETCH_S * self.rate_hz)
        banks = torch.stack([_bank(sound[first * hop : first * hop + length]) for first in firsts])
        with torch.no_grad():
            hidden_states = self._loaded()(banks.to(self._device))
        layers = {}
        for layer in self._chosen:
            grid = hidden_states[layer - 1][:, 1:].unflatten(1, (_FREQUENCIES, _TIMES)).transpose(1, 2)
            layers[str(layer)] = unit_scale(_in_a_row(grid, firsts)[:columns])
        return FeatureBank(layers, self.hop_s, self.width_s)

    def _load(self) -> ImageBindAudio:
        tensors = audio_tensors(read_tensors(self._place, remedy=self._remedy))
        model = ImageBindAudio(**self._shape)
        fill(model, tensors, what=self.name, remedy=self._remedy)
        return model


def audio_tensors(checkpoint: dict[str, Any]) -> dict[str, Tensor]:
    """The audio tower's tensors of a whole ImageBind checkpoint, by our names."""
    found = {}
    for theirs, tensor in checkpoint.items():
        for prefix, ours in _PREFIXES.items():
            if theirs.startswith(prefix):
                found[ours + theirs.removeprefix(prefix)] = tensor
    return found


def _stretches(columns: int) -> list[int]:
    """The first column of each stretch; the last reaches back, so that none hears a snippet alone."""
    return [*range(0, columns - _TIMES, _TIMES), max(columns - _TIMES, 0)]


def _in_a_row(grid: Tensor, firsts: list[int]) -> Tensor:
    """(stretches, 19, ...) -> (columns, ...), each column once."""
    known = [0, *(first + _TIMES for first in firsts[:-1])]
    return torch.cat([rows[start - first :] for rows, first, start in zip(grid, firsts, known, strict=True)])


def _bank(sound: Tensor) -> Tensor:
    """(128, 204) of at most 2 s, normalised as for the published weights; what is missing is zero before that."""
    bank = kaldi_filter_bank(sound - sound.mean() if len(sound) else torch.zeros(1), taper="hann").T[:, :_FRAMES]
    return (torch.nn.functional.pad(bank, (0, _FRAMES - bank.shape[1])) - _MEAN) / _STD
