"""The tiny backbone: a lossless codec, a clean first frame, words that stay themselves, and a base left untouched."""

import numpy as np
import pytest
import torch
from torch import nn

from training.adapter.layer import AudioAdapter
from training.backbones import BACKBONES, open_backbone, shape_of
from training.backbones.spectrum import block_spectrum, from_blocks, to_blocks
from training.settings.config import stage_config
from training.stages.fitting import fitted_config


@pytest.fixture(scope="module")
def backbone():
    tiny = open_backbone("tiny")
    with torch.random.fork_rng():
        torch.manual_seed(4)
        nn.init.normal_(tiny.network.proj_out.weight, std=0.05)
    return tiny


def inputs(clips: int = 2):
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(clips, 3, 12, 64, 64, generator=generator),
        torch.rand(clips, generator=generator),
        torch.randn(clips, 8, 64, generator=generator),
        torch.ones(clips, dtype=torch.bool),
    )


def sound(adapter, clips: int = 2):
    generator = torch.Generator().manual_seed(1)
    return {r.key: torch.randn(clips, r.columns, r.tokens, r.width, generator=generator) for r in adapter.config.rows}


def fresh_adapter(backbone) -> AudioAdapter:
    return AudioAdapter(fitted_config(stage_config(1), shape_of(backbone)))


def test_the_codec_gives_back_every_pixel(backbone):
    frames = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3)).astype(np.uint8)
    latents = backbone.encode_video(frames).mean
    assert np.array_equal(backbone.decode_video(latents), frames)
    assert torch.equal(latents[:, :1], backbone.encode_image(frames[0]))


def test_a_still_video_is_zero_behind_its_first_frame(backbone):
    still = np.repeat(np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype(np.uint8), 12, axis=0)
    assert backbone.encode_video(still).mean[:, 1:].abs().max() == 0


def test_block_spectra_keep_everything_when_nothing_is_dropped():
    rows, _ = block_spectrum(192)
    latents = inputs()[0]
    assert torch.allclose(from_blocks(to_blocks(latents, rows), rows), latents, atol=1e-5)


def test_noise_leaves_the_first_frame_clean_and_target_leads_back(backbone):
    clean, _, _, given = inputs()
    noise = torch.randn_like(clean)
    time = torch.tensor([0.3, 0.9])
    noisy = backbone.noise(clean, noise, time, given)
    assert torch.equal(noisy[:, :, 0], clean[:, :, 0])
    back = noisy - time.view(-1, 1, 1, 1, 1) * backbone.target(clean, noise, time)
    assert torch.allclose(back[:, :, 1:], clean[:, :, 1:], atol=1e-5)


def test_the_same_words_are_the_same_vectors_and_no_words_are_none(backbone):
    assert torch.equal(backbone.encode_text("A Drum!"), backbone.encode_text("a drum"))
    assert not torch.equal(backbone.encode_text("a drum"), backbone.encode_text("a bell"))
    assert backbone.encode_text("").abs().max() == 0


def test_the_adapter_at_zero_is_the_base_bit_for_bit(backbone):
    adapter = fresh_adapter(backbone)
    base = backbone.denoise(*inputs())
    with adapter.attached(backbone.network), adapter.conditioned(sound(adapter)):
        assert torch.equal(backbone.denoise(*inputs()), base)
        for site in adapter.sites:
            nn.init.normal_(site.out.weight)
        assert not torch.equal(backbone.denoise(*inputs()), base)
        adapter.scale = 0.0
        assert torch.equal(backbone.denoise(*inputs()), base)
    assert torch.equal(backbone.denoise(*inputs()), base)


def test_gradients_reach_the_adapter_and_nothing_else(backbone):
    adapter = fresh_adapter(backbone)
    names = set(backbone.network.state_dict())
    with adapter.attached(backbone.network), adapter.conditioned(sound(adapter)):
        backbone.denoise(*inputs()).square().mean().backward()
    assert all(weight.grad is None for weight in backbone.network.parameters())
    assert all(site.out.weight.grad.abs().sum() > 0 for site in adapter.sites)
    assert set(backbone.network.state_dict()) == names


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_the_adapter_fits_the_budget_on_every_backbone(name):
    shape = shape_of(open_backbone(name))
    config = fitted_config(stage_config(1, backbone=name), shape)
    share = config.parameters() / (config.parameters() + shape.parameters)
    assert 0.012 < share <= 0.019


def test_a_blank_copy_guesses_too(backbone):
    with torch.no_grad():
        velocity = backbone.blank().denoise(*inputs())
    assert torch.isfinite(velocity).all() and velocity.std() > 0
