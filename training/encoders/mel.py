"""A log-mel encoder that needs no weights: three views of the sound on one time axis [ours].

- `fine`: the log-mel spectrum of the column;
- `onset`: its rise since the column before (half-wave rectified spectral flux, Boeck and Widmer 2013), which marks when
  something strikes;
- `smooth`: the spectrum averaged over about half a second, which says what kind of sound it is.

Energy e becomes log(1 + e / floor) / 2: 0 for silence, below 0.1 for faint noise, 1 to 5 where something sounds.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from training.encoders.base import FeatureBank, LayerSpec
from training.encoders.sound import covering, resampled
from training.encoders.weighted import checked_layers

_FFT = 512
_FLOOR = 1e-4
_LOWEST_HZ = 40.0
_SMOOTHING_COLUMNS = 13
_ONSET_GAIN = 2.0
_VIEWS = ("fine", "onset", "smooth")


class MelEncoder:
    """Log-mel features; columns of 32 ms every 40 ms."""

    name = "mel"
    version = "mel-2"
    licence = "Apache-2.0, computed"
    rate_hz = 16_000
    hop_s = 0.04
    width_s = _FFT / 16_000
    bands = 48

    def __init__(self, layers: tuple[int, ...] = ()) -> None:
        chosen = checked_layers(self.name, layers, range(1, len(_VIEWS) + 1))
        self._chosen = tuple(_VIEWS[layer - 1] for layer in chosen) or _VIEWS
        self._filters = mel_filters(bands=self.bands, fft=_FFT, rate_hz=self.rate_hz)
        self._taper = torch.hann_window(_FFT, periodic=True)

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """The chosen views, one token of `bands` numbers each."""
        return tuple(LayerSpec(name, 1, self.bands) for name in self._chosen)

    def columns(self, duration_s: float) -> int:
        """Columns until the end of the sound; there are 8 ms between two."""
        return covering(duration_s, hop_s=self.hop_s, width_s=self.hop_s)

    def encode(self, waveform: NDArray[np.float32], rate_hz: int) -> FeatureBank:
        """Features of a mono waveform (samples,); the last column may run past the end, into silence.

        Raises:
            BadInput: the waveform is not mono or has no samples.
        """
        sound = resampled(waveform, rate_hz, self.rate_hz)
        fine = self._log_mel(sound, self.columns(len(waveform) / rate_hz))
        onset = _ONSET_GAIN * torch.relu(fine - torch.roll(fine, 1, dims=0))
        onset[0] = 0.0
        views = {"fine": fine, "onset": onset, "smooth": _running_mean(fine, _SMOOTHING_COLUMNS)}
        return FeatureBank({name: views[name][:, None, :] for name in self._chosen}, self.hop_s, self.width_s)

    def check_weights(self) -> None:
        """It needs none."""

    def release(self) -> None:
        """There is nothing to forget."""

    def _log_mel(self, waveform: torch.Tensor, columns: int) -> torch.Tensor:
        hop = round(self.hop_s * self.rate_hz)
        padding = max((columns - 1) * hop + _FFT - len(waveform), 0)
        framed = torch.nn.functional.pad(waveform, (0, padding)).unfold(0, _FFT, hop)[:columns]
        spectrum = torch.fft.rfft(framed * self._taper).abs().square() / (_FFT / 4) ** 2
        return 0.5 * torch.log1p((spectrum @ self._filters) / _FLOOR)


def mel_filters(*, bands: int, fft: int, rate_hz: int) -> torch.Tensor:
    """(fft // 2 + 1, bands) triangles spaced evenly on the mel scale (O'Shaughnessy), each of peak 1."""
    edges_mel = torch.linspace(_hz_to_mel(_LOWEST_HZ), _hz_to_mel(rate_hz / 2), bands + 2)
    edges_hz = 700.0 * (10.0 ** (edges_mel / 2595.0) - 1.0)
    bins_hz = torch.linspace(0.0, rate_hz / 2, fft // 2 + 1)[:, None]
    # A triangle narrower than a bin would miss every bin; no slope is steeper than one bin.
    bin_hz = rate_hz / fft
    rising = (bins_hz - edges_hz[:-2]) / (edges_hz[1:-1] - edges_hz[:-2]).clamp(min=bin_hz)
    falling = (edges_hz[2:] - bins_hz) / (edges_hz[2:] - edges_hz[1:-1]).clamp(min=bin_hz)
    return torch.minimum(rising, falling).clamp(min=0.0)


def _hz_to_mel(hz: float) -> float:
    return 2595.0 * math.log10(1.0 + hz / 700.0)


def _running_mean(rows: torch.Tensor, width: int) -> torch.Tensor:
    padded = torch.nn.functional.pad(rows.T[None], (width // 2, width // 2), mode="replicate")
    return torch.nn.functional.avg_pool1d(padded, width, stride=1)[0].T
