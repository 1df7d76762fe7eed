"""BEATs (Chen et al. 2023), after the paper and the names in its published checkpoints.

A transformer over a Kaldi filter bank in 16x16 patches, time first: 8 frequencies every 160 ms, of any length. A
convolution adds positions; a bias by relative position, in buckets as T5's and shared by all layers, is gated by each
query (as in WavLM, "gated relative position bias"). Post-norm, residuals scaled by (2 layers)^(1/4) (DeepNorm). Layer n
is the output of block n (1 to 12).

The published weights are MIT.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shards.checkpoint import fill, read_tensors
from shards.errors import BadInput
from training.encoders.base import FeatureBank, LayerSpec, unit_scale
from training.encoders.sound import FRAME_S, SHIFT_S, covering, kaldi_filter_bank, resampled, samples_of
from training.encoders.weighted import WeightedEncoder, checked_layers

_BANDS = 128
_MEAN, _STD = 15.41663, 6.55582
_FULL_SCALE = 2.0**15
_USUAL: dict[str, Any] = {
    "input_patch_size": 16,
    "embed_dim": 512,
    "encoder_layers": 12,
    "encoder_embed_dim": 768,
    "encoder_ffn_embed_dim": 3072,
    "encoder_attention_heads": 12,
    "conv_pos": 128,
    "conv_pos_groups": 16,
    "num_buckets": 320,
    "max_distance": 800,
    "layer_norm_first": False,
    "deep_norm": True,
    "relative_position_embedding": True,
    "gru_rel_pos": True,
    "conv_bias": False,
    "activation_fn": "gelu",
}
"""Of the published checkpoints; their own `cfg` counts."""

_ONLY = {
    name: _USUAL[name] for name in ("layer_norm_first", "relative_position_embedding", "gru_rel_pos", "activation_fn")
}


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.head = heads, width // heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))
        self.grep_linear = nn.Linear(self.head, 8)
        self.grep_a = nn.Parameter(torch.ones(1, heads, 1, 1))

    def forward(self, rows: Tensor, bias: Tensor) -> Tensor:
        query, key, value = (
            linear(rows).unflatten(-1, (self.heads, self.head)).transpose(1, 2)
            for linear in (self.q_proj, self.k_proj, self.v_proj)
        )
        opened, reset = self.grep_linear(query).unflatten(-1, (2, 4)).sum(-1).sigmoid().chunk(2, dim=-1)
        gate = opened * (reset * self.grep_a - 1) + 2
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=gate * bias)
        output: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return output


class _Layer(nn.Module):
    def __init__(self, cfg: dict[str, Any]) -> None:
        super().__init__()
        width = cfg["encoder_embed_dim"]
        self.self_attn = _Attention(width, cfg["encoder_attention_heads"])
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, cfg["encoder_ffn_embed_dim"])
        self.fc2 = nn.Linear(cfg["encoder_ffn_embed_dim"], width)
        self.final_layer_norm = nn.LayerNorm(width)
        self.residual = (2 * cfg["encoder_layers"]) ** 0.25 if cfg["deep_norm"] else 1.0

    def forward(self, rows: Tensor, bias: Tensor) -> Tensor:
        rows = self.self_attn_layer_norm(self.residual * rows + self.self_attn(rows, bias))
        grown = self.fc2(nn.functional.gelu(self.fc1(rows)))
        output: Tensor = self.final_layer_norm(self.residual * rows + grown)
        return output


class BeatsNetwork(nn.Module):
    """(clips, frames, 128) normalised filter banks -> the output of every layer (clips, times * 8, width)."""

    def __init__(self, cfg: dict[str, Any]) -> None:
        super().__init__()
        width, patch = cfg["encoder_embed_dim"], cfg["input_patch_size"]
        self.cfg = cfg
        self.patch_embedding = nn.Conv2d(1, cfg["embed_dim"], patch, patch, bias=cfg["conv_bias"])
        self.layer_norm = nn.LayerNorm(cfg["embed_dim"])
        self.post_extract_proj = nn.Linear(cfg["embed_dim"], width)
        kernel = cfg["conv_pos"]
        self.positions = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=cfg["conv_pos_groups"])
        self.encoder_norm = nn.LayerNorm(width)
        self.bias = nn.Embedding(cfg["num_buckets"], cfg["encoder_attention_heads"])
        self.layers = nn.ModuleList(_Layer(cfg) for _ in range(cfg["encoder_layers"]))

    def forward(self, banks: Tensor) -> list[Tensor]:
        """The output of every layer."""
        patches = self.patch_embedding(banks[:, None]).flatten(2).transpose(1, 2)
        rows = self.post_extract_proj(self.layer_norm(patches))
        moved = self.positions(rows.transpose(1, 2))
        # An even kernel gives one place too many.
        moved = moved[..., : rows.shape[1]].transpose(1, 2)
        rows = self.encoder_norm(rows + nn.functional.gelu(moved))
        bias = self._relative_bias(rows.shape[1])
        hidden_states = []
        for layer in self.layers:
            rows = layer(rows, bias)
            hidden_states.append(rows)
        return hidden_states

    def _relative_bias(self, places: int) -> Tensor:
        """(heads, places, places)."""
        place = torch.arange(places, device=self.bias.weight.device)
        buckets = relative_buckets(
            place[None, :] - place[:, None], buckets=self.cfg["num_buckets"], furthest=self.cfg["max_distance"]
        )
        values: Tensor = self.bias(buckets)
        return values.permute(2, 0, 1)


def relative_buckets(distance: Tensor, *, buckets: int, furthest: int) -> Tensor:
    """T5's buckets (Raffel et al. 2020): half for what lies behind; of each half, half exact, the rest logarithmic."""
    half, exact = buckets // 2, buckets // 4
    size = distance.abs()
    log = exact + ((size / exact).clamp(min=1e-9).log() / math.log(furthest / exact) * (half - exact)).long()
    return (distance > 0).long() * half + torch.where(size < exact, size, log.clamp(max=half - 1))


class BeatsEncoder(WeightedEncoder[BeatsNetwork]):
    """Columns of 175 ms every 160 ms, 8 tokens each."""

    name = "beats"
    source = "https://github.com/microsoft/unilm/tree/master/beats (BEATs_iter3+ AS2M)"
    licence = "MIT"
    rate_hz = 16_000
    hop_s = 16 * SHIFT_S
    width_s = 15 * SHIFT_S + FRAME_S
    _patch = 16

    def __init__(
        self, layers: tuple[int, ...] = (), weights: Path | None = None, *, device: str = "cpu", width: int = 768
    ) -> None:
        there = range(1, _USUAL["encoder_layers"] + 1)
        super().__init__(layers or (4, 8, 12), weights, device=device, there=there)
        self._width = width

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """The chosen layers."""
        return tuple(LayerSpec(str(layer), _BANDS // self._patch, self._width) for layer in self._chosen)

    def columns(self, duration_s: float) -> int:
        """Whole patches until the end of the sound is covered; silence fills the last."""
        return covering(duration_s, hop_s=self.hop_s, width_s=self.width_s)

    def encode(self, waveform: NDArray[np.float32], rate_hz: int) -> FeatureBank:
        """Hidden states (time, 8, 768) of each chosen layer, normalised."""
        sound = resampled(waveform, rate_hz, self.rate_hz)
        frames = self.columns(len(waveform) / rate_hz) * self._patch
        silence = max(samples_of(frames) - len(sound), 0)
        bank = kaldi_filter_bank(nn.functional.pad(sound, (0, silence)) * _FULL_SCALE, taper="povey")[:frames]
        bank = (bank - _MEAN) / (2 * _STD)
        with torch.no_grad():
            hidden_states = self._loaded()(bank[None].to(self._device))
        layers = {
            str(layer): unit_scale(hidden_states[layer - 1][0].unflatten(0, (-1, _BANDS // self._patch)))
            for layer in self._chosen
        }
        return FeatureBank(layers, self.hop_s, self.width_s)

    def _load(self) -> BeatsNetwork:
        checkpoint = read_tensors(self._place, remedy=self._remedy)
        if not {"cfg", "model"} <= checkpoint.keys():
            raise BadInput("this is no checkpoint of beats: it has no `cfg` and `model`", remedy=self._remedy)
        cfg = _USUAL | {name: value for name, value in checkpoint["cfg"].items() if name in _USUAL}
        if {name: cfg[name] for name in _ONLY} != _ONLY:
            raise BadInput("this checkpoint is another kind of BEATs than was published", remedy=self._remedy)
        # A checkpoint may have fewer layers than the published ones.
        checked_layers(self.name, self._chosen, range(1, cfg["encoder_layers"] + 1))
        model = BeatsNetwork(cfg)
        fill(model, tensors_of(checkpoint["model"]), what=self.name, remedy=self._remedy)
        return model


_NOT_OURS = ("predictor", "encoder.pos_conv.0.weight_", "encoder.pos_conv.0.parametrizations")
"""The classifier, and the convolution's weight, which is made of two."""


def tensors_of(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published names by ours; the convolution's weight is given as direction and length (weight norm)."""
    ours: dict[str, Tensor] = {}
    for name, tensor in theirs.items():
        if name.startswith(_NOT_OURS) or "relative_attention_bias" in name:
            continue
        name = name.replace("encoder.pos_conv.0.", "positions.").replace("encoder.layer_norm.", "encoder_norm.")
        ours[name.removeprefix("encoder.")] = tensor
    direction, length = _weight_norm(theirs, "encoder.pos_conv.0")
    ours["positions.weight"] = direction * (length / direction.norm(dim=(0, 1), keepdim=True))
    if (shared := theirs.get("encoder.layers.0.self_attn.relative_attention_bias.weight")) is not None:
        ours["bias.weight"] = shared
    return ours


def _weight_norm(theirs: dict[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    """Direction and length, as torch saved them before its parametrizations and since.

    Raises:
        BadInput: neither is there.
    """
    for ends in (("weight_v", "weight_g"), ("parametrizations.weight.original1", "parametrizations.weight.original0")):
        if all(f"{name}.{end}" in theirs for end in ends):
            return theirs[f"{name}.{ends[0]}"], theirs[f"{name}.{ends[1]}"]
    raise BadInput(f"the checkpoint is not of beats: it has no {name}", remedy="take one as it was published")
