"""How Synchformer hears 0.64 s: AST (Gong et al. 2021) over a log-mel spectrogram, one row an instant.

128 mel bands by 66 frames of 10 ms in 16 x 16 patches every 10: 12 frequencies by 6 instants, a class and a
distillation token. Then one more layer reads the frequencies of each instant into one row.
"""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from curation.encoders.synchformer.picture import Reader

RATE_HZ, SAMPLES = 16_000, 10_240
BANDS, TICKS = 128, 66
FREQUENCIES, INSTANTS = (BANDS - 16) // 10 + 1, (TICKS - 16) // 10 + 1
_FFT, _TAPER, _HOP = 1024, 400, 160
_FLOOR = 1e-6
_MEAN, _STD = -4.2677393, 4.5689974
"""Of AudioSet, as AST was trained; configs/sync.yaml."""


def log_mel(sounds: Tensor) -> Tensor:
    """(segments, 128, 66) normalised log-mel spectrograms of (segments, 10240) sounds at 16 kHz.

    As torchaudio's `MelSpectrogram(16000, n_fft=1024, win_length=400, hop_length=160, n_mels=128)`: power, centred,
    reflected at the ends, HTK's mel scale. That gives 65 frames; the 66th is 0 in the logarithm, before normalising.
    """
    taper = torch.hann_window(_TAPER, periodic=True, device=sounds.device)
    spectrum = torch.stft(sounds, _FFT, _HOP, _TAPER, taper, center=True, pad_mode="reflect", return_complex=True)
    power = spectrum.abs().square()
    bands = torch.from_numpy(mel_filters()).to(sounds.device) @ power
    bank = torch.nn.functional.pad((bands + _FLOOR).log(), (0, TICKS - bands.shape[-1]))
    return (bank - _MEAN) / (2 * _STD)


@lru_cache
def mel_filters() -> NDArray[np.float32]:
    """(128, 513) triangles of peak 1, spaced evenly from 0 to 8 kHz on HTK's mel scale."""
    top = 2595 * np.log10(1 + RATE_HZ / 2 / 700)
    edges_hz = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    bins_hz = np.linspace(0, RATE_HZ / 2, _FFT // 2 + 1)
    rising = (bins_hz - edges_hz[:-2, None]) / np.diff(edges_hz)[:-1, None]
    falling = (edges_hz[2:, None] - bins_hz) / np.diff(edges_hz)[1:, None]
    return np.maximum(np.minimum(rising, falling), 0).astype(np.float32)


class SoundTower(nn.Module):
    """(segments, 128, 66) -> (segments, 6, width); names as in the checkpoint's `afeat_extractor`."""

    def __init__(self, width: int, blocks: int, heads: int) -> None:
        super().__init__()
        self.ast = nn.ModuleDict(
            {
                "embeddings": _Patches(width),
                "encoder": nn.ModuleDict({"layer": nn.ModuleList(_Layer(width, heads) for _ in range(blocks))}),
                "layernorm": nn.LayerNorm(width, eps=1e-12),
            }
        )
        self.freq_attn_agg = Reader(width, heads)

    def forward(self, banks: Tensor) -> Tensor:
        """One row for each column of patches."""
        rows = self.ast["embeddings"](banks)
        for layer in self.ast.get_submodule("encoder.layer").children():
            rows = layer(rows)
        grid = self.ast["layernorm"](rows)[:, 2:].unflatten(1, (FREQUENCIES, INSTANTS)).transpose(1, 2)
        return self.freq_attn_agg.read(grid.flatten(0, 1)).reshape(len(banks), INSTANTS, -1)


class _Patches(nn.Module):
    """Patches, frequency outermost, behind two learned tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.distillation_token = nn.Parameter(torch.zeros(1, 1, width))
        self.position_embeddings = nn.Parameter(torch.zeros(1, 2 + FREQUENCIES * INSTANTS, width))
        self.patch_embeddings = nn.ModuleDict({"projection": nn.Conv2d(1, width, 16, 10)})

    def forward(self, banks: Tensor) -> Tensor:
        patches = self.patch_embeddings["projection"](banks[:, None]).flatten(2).transpose(1, 2)
        tokens = (token.expand(len(banks), -1, -1) for token in (self.cls_token, self.distillation_token))
        return torch.cat([*tokens, patches], dim=1) + self.position_embeddings


class _Layer(nn.Module):
    """A pre-norm transformer layer under transformers' names."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.layernorm_before, self.layernorm_after = (nn.LayerNorm(width, eps=1e-12) for _ in range(2))
        attention = nn.ModuleDict({name: nn.Linear(width, width) for name in ("query", "key", "value")})
        self.attention = nn.ModuleDict({"attention": attention, "output": _dense(width, width)})
        self.intermediate, self.output = _dense(width, 4 * width), _dense(4 * width, width)

    def forward(self, rows: Tensor) -> Tensor:
        seen = self.layernorm_before(rows)
        query, key, value = (
            self.attention.get_submodule(f"attention.{name}")(seen).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        mixed = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        rows = rows + self.attention.get_submodule("output.dense")(mixed)
        grown = gelu(self.intermediate["dense"](self.layernorm_after(rows)))
        added: Tensor = self.output["dense"](grown)
        return rows + added


def _dense(inputs: int, outputs: int) -> nn.ModuleDict:
    return nn.ModuleDict({"dense": nn.Linear(inputs, outputs)})
