"""The mel encoder hears clicks where they are and nothing in silence."""

import numpy as np
import pytest

from shards.errors import BadInput
from training.encoders import open_encoder
from training.encoders.mel import MelEncoder, mel_filters
from training.settings.config import EncoderConfig

RATE_HZ = 16_000


def click_at(*times_s: float, rate_hz: int = RATE_HZ, duration_s: float = 2.0) -> np.ndarray:
    wave = np.zeros(round(duration_s * rate_hz), np.float32)
    decay = 0.8 * np.exp(-np.arange(round(0.05 * rate_hz)) / (0.01 * rate_hz))
    noise = np.random.default_rng(0).uniform(-1, 1, len(decay))
    for time_s in times_s:
        first = round(time_s * rate_hz)
        wave[first : first + len(decay)] += (decay * noise)[: len(wave) - first]
    return wave


def test_all_layers_share_one_time_axis():
    encoder = MelEncoder()
    bank = encoder.encode(click_at(0.5), RATE_HZ)
    assert {name: tuple(x.shape) for name, x in bank.layers.items()} == {
        layer.name: (50, layer.tokens, layer.width) for layer in encoder.layers
    }
    assert encoder.columns(2.0) == 50


def test_silence_is_zero_in_every_layer():
    bank = MelEncoder().encode(np.zeros(2 * RATE_HZ, np.float32), RATE_HZ)
    assert all(layer.abs().max() == 0 for layer in bank.layers.values())


def test_faint_noise_stays_near_zero_and_a_loud_click_does_not():
    noise = np.random.default_rng(1).normal(0, 1e-3, 2 * RATE_HZ).astype(np.float32)
    assert MelEncoder().encode(noise, RATE_HZ).layers["fine"].max() < 0.1
    assert MelEncoder().encode(click_at(1.0), RATE_HZ).layers["fine"].max() > 1


@pytest.mark.parametrize("time_s", [0.3, 0.85, 1.4, 1.9])
@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_the_onset_layer_peaks_in_a_column_that_covers_the_click(time_s, rate_hz):
    encoder = MelEncoder()
    bank = encoder.encode(click_at(time_s, rate_hz=rate_hz), rate_hz)
    loudest = int(bank.layers["onset"].sum(dim=(1, 2)).argmax())
    assert loudest * bank.hop_s - bank.hop_s <= time_s <= loudest * bank.hop_s + bank.width_s


def test_every_band_hears_something():
    assert (mel_filters(bands=48, fft=512, rate_hz=RATE_HZ).sum(dim=0) > 0).all()


def test_refuses_stereo_and_an_unknown_encoder():
    with pytest.raises(BadInput, match="not mono"):
        MelEncoder().encode(np.zeros((2, 100), np.float32), RATE_HZ)
    with pytest.raises(BadInput, match="choose one of: ast, beats"):
        open_encoder(EncoderConfig(name="telepathy"))
