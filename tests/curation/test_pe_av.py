"""PE-AV runs the library's real code at random weights, and gives the library's own numbers; no released weights."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from curation.encoders.pe_av import PeAv
from curation.encoders.semantics import Semantics
from curation.encoders.settings import PairModel, SemanticSettings
from curation.media.analyse import analyse
from curation.media.look import look
from curation.media.timeline import Window, undecoded
from curation.scores.base import Evidence
from curation.scores.files import score_files
from curation.scores.pe_av import MOST, PeAvScore, ticks
from curation.scores.registry import build
from curation.scores.sounds import sound_of
from curation.scores.trends import columns_of, trends
from shards.errors import BadInput, Unavailable
from shards.weights import folder_of
from tests.curation.pe_av_files import put, tiny_model
from training.world import FilmSpec, draw, write_film


@pytest.fixture(autouse=True)
def weights(tmp_path, monkeypatch):
    monkeypatch.setenv("CLAPBOARD_WEIGHTS", str(tmp_path / "weights"))


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pe-av")
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("films") / "drum.mp4"
    write_film(draw(FilmSpec(scene="playing_drum", seed=3, duration_s=2.4)), path)
    return path


def librarys_own(model, images, sounds):
    """What the released usage gives: the model's own processors, one forward pass, its logits and embeddings."""
    from transformers import PeAudioFeatureExtractor, PeVideoVideoProcessor

    eye = PeVideoVideoProcessor(
        size={"height": 336, "width": 336}, do_sample_frames=False, do_normalize=True, do_resize=True, do_rescale=True,
        do_convert_rgb=True, image_mean=[0.5] * 3, image_std=[0.5] * 3, default_to_square=True,
    )  # fmt: skip
    seen = eye([clip.transpose(0, 3, 1, 2) for clip in images], return_tensors="pt")
    heard = PeAudioFeatureExtractor()(list(sounds), sampling_rate=48_000, return_tensors="pt")
    with torch.no_grad():
        return model(**seen, **heard)


def noise(clips, count):
    draw = np.random.default_rng(4)
    images = draw.integers(0, 256, (clips, count, 336, 336, 3), dtype=np.uint8)
    images //= np.array([1, 3, 9], np.uint8)[:clips, None, None, None, None]
    return images, draw.uniform(-0.5, 0.5, (clips, count * 1920)).astype(np.float32)


def test_its_numbers_are_the_librarys_own(model, saved):
    images, sounds = noise(3, 5)
    ours = PeAv("pe-av", saved, device="cpu")
    found = ours.compare(np.stack([ours.see(clip) for clip in images]), sounds)
    said = librarys_own(model, images, sounds)
    logits = said.logits_audio_video.diagonal().numpy()
    assert np.ptp(logits) > 0.1, "random clips that are all alike would prove nothing"
    assert found[:, 0] == pytest.approx(logits, abs=1e-4)
    cosine = torch.nn.functional.cosine_similarity(said.audio_embeds, said.video_embeds).numpy()
    assert found[:, 1] == pytest.approx(cosine, abs=1e-5)


def test_a_clip_alone_gives_what_it_gives_among_others(saved):
    images, sounds = noise(2, 4)
    ours = PeAv("pe-av", saved, device="cpu")
    seen = np.stack([ours.see(clip) for clip in images])
    assert ours.compare(seen[1:], sounds[1:])[0] == pytest.approx(ours.compare(seen, sounds)[1], abs=1e-5)


def test_loading_it_writes_nothing_where_results_belong(saved, capsys):
    PeAv("pe-av", saved, device="cpu").see(np.zeros((1, 336, 336, 3), np.uint8))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("fault", ["no weights", "other weights", "weights missing", "another model"])
def test_a_folder_of_something_else_is_refused(fault, saved, tmp_path):
    from safetensors.torch import load_file, save_file

    config = json.loads((saved / "config.json").read_text())
    tensors = load_file(saved / "model.safetensors")
    if fault == "other weights":
        tensors = {"w": torch.zeros(2)}
    if fault == "weights missing":
        del tensors["audio_video_logit_scale"]
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"} if fault == "another model" else config))
    if fault != "no weights":
        save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"PE-AV|lacks weights") as error:
        PeAv("pe-av", tmp_path, device="cpu").see(np.zeros((1, 336, 336, 3), np.uint8))
    assert error.value.remedy == "clapboard weights verify pe-av"


# ---- the score


class Watched:
    """Looks, and remembers at what."""

    def __init__(self, path):
        self.path, self.asked = path, []

    def __call__(self, *, start_us, end_us, **view):
        self.asked.append((start_us, end_us))
        return look(self.path, start_us=start_us, end_us=end_us, **view)


def test_a_window_is_what_the_library_says_of_its_frames_and_its_sound(model, film, tmp_path):
    put(model, tmp_path / "mine")
    line, watched = analyse(film, thumbnails=False), Watched(film)
    [found] = PeAvScore().score([Window(line, 390_000, 1_390_000, look=watched)])
    frames = look(film, start_us=400_000, end_us=1_400_000, hz=25, short_px=336, side_px=336).images
    said = librarys_own(model, frames[None], [sound_of(line, 400_000, 1_400_000, 48_000)])
    assert found["picture_sound"] == pytest.approx(float(said.logits_audio_video), abs=1e-4)
    assert -1 <= found["picture_sound_cosine"] <= 1
    assert watched.asked == [(400_000, 1_400_000)]


def test_windows_that_overlap_look_once_and_say_what_each_says_alone(model, film, tmp_path, monkeypatch):
    put(model, tmp_path / "mine")
    monkeypatch.setattr("curation.scores.pe_av.GROUP", 2)
    monkeypatch.setattr("curation.scores.pe_av.LOOK", 20)
    line, watched, score = analyse(film, thumbnails=False), Watched(film), PeAvScore()
    windows = [Window(line, start, end, look=watched) for start, end in ((0, 8e5), (4e5, 12e5), (8e5, 18e5))]
    together = score.score(windows)
    assert watched.asked == [(0, 800_000), (800_000, 1_200_000), (1_200_000, 1_800_000)]
    for window, one in zip(windows, together, strict=True):
        assert score.score([window])[0] == pytest.approx(one, abs=1e-4)


@given(st.integers(0, 10**9), st.integers(1, 10**8))
def test_a_window_begins_at_the_nearest_tick_and_of_a_long_one_the_middle_is_taken(start_us, length_us):
    found = ticks(Window(undecoded(start_us + length_us), start_us, start_us + length_us))
    assert 1 <= len(found) <= MOST
    middle_us = 40_000 * (found.start + found.stop) / 2
    assert abs(middle_us - (start_us + length_us / 2)) <= 60_000


def test_it_speaks_of_meaning_and_of_nothing_else():
    [score] = build(["pe_av"])
    assert score.evidence is Evidence.MEANING and set(score.columns) <= columns_of(Evidence.MEANING)
    assert trends()["picture_sound"] == 1 and "picture_sound_cosine" not in trends()


def test_without_weights_it_says_which_command_mends_it():
    for model, remedy in ((PairModel.PE_AV_SMALL, "pe-av"), (PairModel.PE_AV_LARGE, "pe-av-large")):
        [score] = build(["pe_av"], semantics=Semantics(SemanticSettings(pair_model=model)))
        with pytest.raises(Unavailable, match="weights absent") as lack:
            score.check()
        assert lack.value.remedy == f"clapboard weights fetch {remedy}"


def test_other_weights_are_other_settings(model, tmp_path):
    put(model, tmp_path / "mine")
    first = PeAvScore().settings
    (folder_of("pe-av") / "weights.lock.json").unlink()
    put(tiny_model(seed=1), tmp_path / "other")
    assert PeAvScore().settings != first


def test_files_are_scored_through_a_confined_process(model, film, tmp_path):
    put(model, tmp_path / "mine")
    [found] = score_files([film], ["pe_av"])
    assert np.isfinite([found["picture_sound"], found["picture_sound_cosine"]]).all()
