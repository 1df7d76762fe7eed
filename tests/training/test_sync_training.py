"""The sync classifier learns from in-video negatives, equally each time, and says what it is."""

import json
import re

import numpy as np
import pytest
import torch
from safetensors import safe_open
from typer.testing import CliRunner

from flows.cli.app import app
from shards.errors import BadInput, Unavailable
from shards.synchrony.net import SyncNet, load_net, phi, save_net, spans
from training.sync.data import SyncVideo, augmented, drawn_videos, video_features
from training.sync.evaluate import evaluate
from training.sync.imagined import imagined_videos
from training.sync.train import SyncTraining, in_video_loss, train, train_to_file
from training.world import FilmSpec, draw, write_film

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


def commanded(*arguments):
    return CliRunner().invoke(app, ["sync", "train", "--out", "x", *arguments]).exception


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        ("nonsense=1", "setting nonsense: Extra inputs"),
        ("duration_s=2.5", "setting duration_s: .* greater than 2.5"),
        ("duration_s=inf", "setting duration_s: .* finite"),
        ("shift_s=0.01", "setting shift_s: .* greater than or equal to 0.04"),
        ("shift_s=9", "setting: .* 6 s hold one span only with shift_s=9"),
        ("films", "'films' sets nothing"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_what_is_wrong(setting, fault):
    error = commanded("--set", setting)
    assert isinstance(error, BadInput) and re.match(fault, error.message)
    assert "duration_s" in error.remedy


def test_no_video_to_learn_from_is_refused_before_anything_is_drawn(monkeypatch):
    monkeypatch.setattr("flows.cli.sync._held_out", lambda _: pytest.fail("drawn in vain"))
    error = commanded("--set", "films=0", "--set", "imagined=0")
    assert isinstance(error, BadInput) and "--set films=" in error.remedy
    with pytest.raises(BadInput, match="no video to learn from"):
        train([], TINY)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said_to_be_lacking_with_what_to_give_instead():
    error = commanded("--device", "cuda")
    assert isinstance(error, Unavailable) and "'cuda'" in error.message and "--device cpu" in error.remedy


def test_a_device_of_no_kind_is_refused():
    error = commanded("--device", "abacus")
    assert isinstance(error, BadInput) and "--device cpu" in error.remedy


@pytest.mark.parametrize("duration_s", [2.51, 3.0, 3.4])
def test_short_videos_can_be_trained_on_and_measured(tmp_path, duration_s):
    settings = SyncTraining(films=0, imagined=4, steps=1, batch=2, duration_s=duration_s)
    videos = imagined_videos(4, seed=1, duration_s=duration_s)
    facts = train_to_file(videos, {"imagined": videos}, settings, tmp_path / "short.safetensors", command="")
    assert facts["evaluation"]["imagined"]["reach_s"] == (round(duration_s * 25) - 50) // 2 / 25
    assert load_net(tmp_path / "short.safetensors")[1] == facts


def test_a_short_video_is_measured_at_its_middle_without_coming_round_its_end():
    class Echo(SyncNet):
        """Features that are the input: phi is 1 where picture and sound come from the same step."""

        def pictures(self, features):
            return features[:, 0, :, 0].transpose(1, 2)

        def sounds(self, features):
            return features[:, ::4, :12].transpose(1, 2)

    steps = np.random.default_rng(0).normal(size=(75, 12)).astype(np.float32)
    picture = np.tile(steps[None, :, None], (2, 1, 12, 1))
    video = SyncVideo(picture, np.pad(np.repeat(steps, 4, axis=0), ((0, 0), (0, 28))))
    found = evaluate(Echo(), [video])
    assert found["top1"] == found["within_frame"] == 1 and found["reach_s"] == 0.48


def test_a_video_without_room_for_the_candidates_is_refused():
    with pytest.raises(BadInput, match=r"2.4 s is too short to be measured"):
        evaluate(SyncNet().eval(), imagined_videos(1, seed=1, duration_s=2.4))


def test_a_training_whose_evaluation_fails_is_not_lost(tmp_path):
    out, videos = tmp_path / "kept.safetensors", imagined_videos(2, seed=1, duration_s=4.0)
    with pytest.raises(BadInput, match="too short"):
        train_to_file(
            videos,
            {"imagined": imagined_videos(1, seed=2, duration_s=2.4)},
            TINY.model_copy(update={"steps": 1, "batch": 1}),
            out,
            command="clapboard sync train",
        )
    _, facts = load_net(out)
    assert facts["command"] == "clapboard sync train" and "evaluation" not in facts
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_file_that_cannot_be_written_is_refused_before_the_training(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for out in (tmp_path, tmp_path / "file" / "net.safetensors"):
        with pytest.raises(BadInput, match="cannot be written"):
            train_to_file([], {}, TINY, out, command="")


def test_a_clip_that_is_too_short_names_the_setting_there_is(tmp_path):
    path = tmp_path / "short.mp4"
    write_film(draw(FilmSpec(scene="playing_drum", seed=1, duration_s=2.0, width_px=96, height_px=96)), path)
    with pytest.raises(BadInput, match="less than 3 s") as refused:
        video_features(path.read_bytes(), duration_s=3.0)
    assert "--set duration_s=" in refused.value.remedy
