"""The sync classifier learns from in-video negatives, equally each time, and says what it is."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from typer.testing import CliRunner

from flows.cli.app import app
from shards.errors import BadInput
from shards.synchrony.net import SyncNet, load_net, phi, save_net, spans
from training.sync.data import augmented, drawn_videos
from training.sync.evaluate import evaluate
from training.sync.imagined import imagined_videos
from training.sync.train import SyncTraining, in_video_loss, train

TINY = SyncTraining(films=0, imagined=48, steps=60, batch=8, duration_s=4.0)


@pytest.fixture(scope="module")
def trained():
    losses = []
    videos = imagined_videos(TINY.imagined, seed=1, duration_s=TINY.duration_s)
    net = train(videos, TINY, progress=lambda _, __, loss: losses.append(loss))
    return net, losses


def test_learns_to_find_the_sound_of_a_span(trained):
    net, losses = trained
    chance = float(np.log(len(TINY.starts)))
    assert losses[-1] < 0.6 * chance
    unseen = evaluate(net, imagined_videos(40, seed=2, duration_s=4.0))
    untrained = evaluate(SyncNet().eval(), imagined_videos(40, seed=2, duration_s=4.0))
    assert unseen["top1"] > 0.8
    assert unseen["p_sync"] > untrained["p_sync"] + 0.05


def test_equal_settings_give_equal_weights():
    videos = imagined_videos(4, seed=3, duration_s=4.0)
    settings = TINY.model_copy(update={"steps": 2, "batch": 2})
    one, other = (train(videos, settings).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_loss_is_least_where_the_diagonal_wins():
    right = torch.eye(5)[None]
    assert in_video_loss(right) < in_video_loss(torch.zeros(1, 5, 5)) < in_video_loss(1 - right)


def test_phi_of_a_span_with_itself_is_one_and_of_stillness_is_nothing():
    features = torch.randn(1, 32, 100)
    one = spans(features, starts=torch.tensor([0, 10]))
    assert torch.allclose(torch.diagonal(phi(one, one)[0]), torch.ones(2), atol=1e-5)
    still = spans(torch.ones(1, 32, 100), starts=torch.tensor([0]))
    assert phi(one, still).abs().max() < 1e-3


def test_videos_are_functions_of_their_seed():
    one, other = (imagined_videos(3, seed=7, duration_s=3.0) for _ in range(2))
    assert all(
        np.array_equal(a.picture, b.picture) and np.array_equal(a.sound, b.sound)
        for a, b in zip(one, other, strict=True)
    )
    assert not np.array_equal(one[0].sound, one[1].sound)
    assert one[0].picture.shape == (2, 75, 12, 12) and one[0].sound.shape == (300, 40)
    again = [augmented(one[0], seed=1, counter=5) for _ in range(2)]
    assert np.array_equal(again[0].picture, again[1].picture)


def test_a_drawn_film_becomes_features_of_its_length():
    (video,) = drawn_videos(1, seed=5, duration_s=3.0, workers=1)
    assert video.picture.shape == (2, 75, 12, 12) and video.sound.shape == (300, 40)
    assert np.abs(video.picture).max() > 1 and video.sound.std() == pytest.approx(1, abs=0.2)


def test_weights_carry_how_they_were_made(tmp_path, trained):
    path = tmp_path / "net.safetensors"
    save_net(trained[0], path, {"command": "clapboard sync train"})
    net, facts = load_net(path)
    assert facts == {"command": "clapboard sync train"}
    assert all(torch.equal(value, trained[0].state_dict()[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("content", [b"", b"no weights", None])
def test_refuses_what_is_no_classifier(tmp_path, content):
    path = tmp_path / "net.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match="sync"):
        load_net(path)


def test_refuses_weights_of_another_kind(tmp_path):
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(BadInput, match="no sync classifier"):
        load_net(tmp_path / "other.safetensors")


def test_the_command_writes_a_classifier_and_measures_it(tmp_path):
    out = tmp_path / "tiny.safetensors"
    tiny = ["films=2", "imagined=8", "held_out=4", "steps=3", "batch=2", "duration_s=4"]
    options = [part for one in tiny for part in ("--set", one)]
    result = CliRunner().invoke(app, ["sync", "train", "--out", str(out), *options, "--json"], catch_exceptions=False)
    facts = json.loads(result.stdout.strip().splitlines()[-1])
    with safe_open(str(out), framework="pt") as file:
        assert json.loads(file.metadata()["facts"]) == facts
    assert set(facts["evaluation"]) == {"drawn", "imagined"} and facts["videos"] == 10


def test_a_setting_that_does_not_exist_is_refused():
    result = CliRunner().invoke(app, ["sync", "train", "--out", "x", "--set", "nonsense=1"])
    assert isinstance(result.exception, BadInput)
