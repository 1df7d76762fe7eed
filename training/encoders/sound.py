"""What encoders do to a waveform first: another rate, and Kaldi's filter bank."""

import math
import warnings
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from shards.errors import BadInput

FRAME_S, SHIFT_S = 0.025, 0.010
_RATE_HZ = 16_000
_SMALLEST = 1.192092955078125e-07
"""Kaldi's floor: float32's epsilon."""


def resampled(waveform: NDArray[np.float32], rate_hz: int, wanted_hz: int) -> torch.Tensor:
    """The waveform at `wanted_hz`, by SciPy's polyphase filter.

    Raises:
        BadInput: it is not mono or has no samples.
    """
    if waveform.ndim != 1 or not len(waveform):
        raise BadInput(f"a waveform of shape {waveform.shape} is not mono sound", remedy="give (samples,)")
    if rate_hz != wanted_hz:
        from scipy.signal import resample_poly

        common = math.gcd(rate_hz, wanted_hz)
        waveform = resample_poly(waveform, wanted_hz // common, rate_hz // common)
    return torch.from_numpy(np.ascontiguousarray(waveform, dtype=np.float32))


def kaldi_filter_bank(waveform: torch.Tensor, *, taper: str, bands: int = 128) -> torch.Tensor:
    """(frames, bands) log energies of a 16 kHz waveform: 25 ms frames every 10 ms, pre-emphasis 0.97, as Kaldi's.

    Args:
        waveform: (samples,); at least one frame of it, else silence follows.
        taper: "povey" or "hann".
        bands: filters on Kaldi's mel scale, from 20 Hz up.
    """
    from transformers.audio_utils import spectrogram

    length = round(FRAME_S * _RATE_HZ)
    samples = torch.nn.functional.pad(waveform, (0, max(length - len(waveform), 0))).numpy().astype(np.float64)
    energies = spectrogram(
        samples,
        _taper(taper, length),
        frame_length=length,
        hop_length=round(SHIFT_S * _RATE_HZ),
        fft_length=512,
        power=2.0,
        center=False,
        preemphasis=0.97,
        mel_filters=_filters(bands),
        mel_floor=_SMALLEST,
        log_mel="log",
        remove_dc_offset=True,
    )
    return torch.from_numpy(np.ascontiguousarray(energies.T)).float()


def covering(duration_s: float, *, hop_s: float, width_s: float) -> int:
    """How many columns it takes until the last one reaches the end of the sound."""
    return max(math.ceil((duration_s - width_s) / hop_s - 1e-6), 0) + 1


def samples_of(frames: int) -> int:
    """How many samples so many frames of `kaldi_filter_bank` need."""
    return round(((frames - 1) * SHIFT_S + FRAME_S) * _RATE_HZ)


@lru_cache
def _taper(name: str, length: int) -> NDArray[np.float64]:
    from transformers.audio_utils import window_function

    taper: NDArray[np.float64] = window_function(length, name, periodic=False)
    return taper


@lru_cache
def _filters(bands: int) -> NDArray[np.float64]:
    from transformers.audio_utils import mel_filter_bank

    with warnings.catch_warnings():
        # The lowest triangles are narrower than a bin and some meet none: so are Kaldi's.
        warnings.filterwarnings("ignore", message="At least one mel filter")
        filters: NDArray[np.float64] = mel_filter_bank(
            num_frequency_bins=257,
            num_mel_filters=bands,
            min_frequency=20.0,
            max_frequency=_RATE_HZ / 2,
            sampling_rate=_RATE_HZ,
            mel_scale="kaldi",
            triangularize_in_mel_space=True,
        )
    return filters
