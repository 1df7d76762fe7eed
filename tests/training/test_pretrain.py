import json
from pathlib import Path

import numpy as np
import pytest
import torch

from shards.errors import BadInput, Unavailable
from training.backbones import BackboneOptions, open_backbone
from training.backbones.drawn_codec import DrawnCodec
from training.loop.checkpoint import newest_checkpoint
from training.pretrain import PretrainSettings, pretrain_world, read_pretrain_settings
from training.pretrain.films import FILM_FRAMES, WINDOWS, draw_films, window_start
from training.pretrain.resumed import Schedule, fit
from training.pretrain.settings import CodecSettings
from training.timing import VideoTiming
from training.world import Split

SMALL = PretrainSettings(codec=CodecSettings(drawn=2, steps=2, films=1, frames=2, painter_steps=2), steps=2, batch=1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    return pretrain_world(folder / "out", work=folder / "work", settings=SMALL)


def test_films_are_drawn_once_and_in_windows(tmp_path: Path) -> None:
    films = draw_films(tmp_path, 2, split=Split.TRAIN)
    told: list[int] = []
    again = draw_films(tmp_path, 2, split=Split.TRAIN, progress=lambda done, of, note: told.append(done))
    assert films.frames(1).shape == (FILM_FRAMES, 96, 96, 3)
    assert np.array_equal(films.frames(1), again.frames(1)) and not told
    assert window_start(0) == 0 and window_start(WINDOWS - 1) + 24 == FILM_FRAMES
    assert films.caption(0)


def test_what_was_pretrained_is_a_backbone(weights: Path) -> None:
    backbone = open_backbone("drawn", BackboneOptions(weights=weights))
    backbone.load_weights(weights)
    frames = np.random.default_rng(0).integers(0, 256, (24, 96, 96, 3), dtype=np.uint8)
    latents, condition = backbone.encode_video(frames).mean, backbone.encode_condition(frames[0])
    assert tuple(latents.shape) == backbone.latent_shape == (32, 24, 4, 4)
    shown = backbone.decode_video(latents, condition)
    assert shown.shape == frames.shape and np.array_equal(shown[0], frames[0])
    with pytest.raises(BadInput, match="upon a picture"):
        backbone.decode_video(latents)
    noise = torch.randn(1, *latents.shape)
    velocity = backbone.denoise(
        noise, torch.tensor([0.7]), backbone.encode_text("a hammer")[None], torch.tensor([True])
    )
    assert velocity.shape == noise.shape and velocity.isfinite().all()
    assert {name: tuple(one.shape) for name, one in condition.items()} == backbone.condition_shapes


def test_a_still_picture_has_no_changes(weights: Path) -> None:
    backbone = open_backbone("drawn", BackboneOptions(weights=weights))
    still = np.repeat(np.random.default_rng(1).integers(0, 256, (1, 96, 96, 3), dtype=np.uint8), 24, axis=0)
    latents = backbone.encode_video(still).mean
    assert latents[:, 1:].abs().max() < 1e-4 < latents[:, 0].abs().max()


def test_latents_have_the_spread_that_noise_has(weights: Path) -> None:
    films = draw_films(weights.parent / "work" / "films", 2, split=Split.TRAIN)
    backbone = open_backbone("drawn", BackboneOptions(weights=weights))
    latents = torch.stack([backbone.encode_video(films.frames(film)[:24]).mean for film in range(2)])
    assert 0.5 < float(latents[:, :, 1:].std()) < 2.0


def test_restored_is_what_was_normalised() -> None:
    codec = DrawnCodec()
    codec.change_std.fill_(3.0)
    codec.first_mean.fill_(0.5)
    latents = torch.randn(5, 32, 4, 4)
    assert torch.allclose(codec.restored(codec.normalised(latents)), latents, atol=1e-5)


def test_pretraining_resumes_bit_for_bit(weights: Path, tmp_path: Path) -> None:
    def trained(folder: Path, *stops: int) -> torch.Tensor:
        for steps in stops:
            torch.manual_seed(0)
            network = torch.nn.Linear(4, 4)

            def loss_of(step: int, network: torch.nn.Module = network, last: int = steps) -> torch.Tensor:
                if step == last:
                    raise KeyboardInterrupt
                return network(torch.randn(8, 4, generator=torch.Generator().manual_seed(step))).square().mean()

            schedule = Schedule(steps=8, lr=0.1, warmup_steps=2, ema=0.9, save_every=2)
            try:
                fit(network, loss_of, schedule, checkpoints=folder)
            except KeyboardInterrupt:
                kept = newest_checkpoint(folder)
                assert kept is not None and kept.step == steps
        return network.weight

    assert torch.equal(trained(tmp_path / "whole", 9), trained(tmp_path / "stopped", 4, 9))
    notes = json.loads((weights / "pretraining.json").read_text())
    assert {part: len(curve) for part, curve in notes["losses"].items()} == {"codec": 2, "painter": 2, "generator": 2}
    assert PretrainSettings.model_validate(notes["settings"]) == SMALL


def test_settings_that_do_not_exist_are_refused() -> None:
    assert read_pretrain_settings(("codec.steps=7",)).codec.steps == 7
    with pytest.raises(BadInput, match=r"codec\.stepz"):
        read_pretrain_settings(("codec.stepz=7",))


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    backbone = open_backbone("drawn", BackboneOptions(weights=tmp_path))
    assert backbone.video == VideoTiming(24, 12)
    with pytest.raises(Unavailable, match=r"config\.json"):
        backbone.weights_dir()
