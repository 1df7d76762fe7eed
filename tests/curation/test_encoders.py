"""CLIP and CLAP run the libraries' real code at random weights, and give the libraries' own numbers."""

import json
import pickle
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.signal import resample_poly

from curation.encoders.batching import Batcher
from curation.encoders.clap_common import load_tokenizer
from curation.encoders.laion_clap import LaionClapEncoder, load_weights, read_checkpoint
from curation.encoders.open_clip import OpenClipEncoder
from curation.encoders.semantics import Semantics
from curation.encoders.settings import SemanticSettings, SoundModel
from curation.encoders.transformers_clap import TransformersClapEncoder
from curation.media.embeddings import EmbeddingStore, Track
from curation.media.timeline import Timeline, Window, undecoded
from curation.scores.agreement import AgreementScore, softmax
from curation.scores.clap import ClapScore
from curation.scores.clip import ClipScore
from shards.errors import BadInput, Unavailable

ROOT = Path(__file__).resolve().parents[2]
TINY_CLIP = "tiny-for-tests"
TINY_CLIP_CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}
TINY_VOCABULARY = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "a", "b", "c", "d", "e", "Ġ"]


@pytest.fixture(scope="module")
def clip_weights(tmp_path_factory):
    """A small open_clip model of random weights from a config of ours: the library's own code, far less of it."""
    import open_clip
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("clip")
    (folder / f"{TINY_CLIP}.json").write_text(json.dumps(TINY_CLIP_CONFIG))
    open_clip.add_model_config(folder)
    torch.manual_seed(0)
    model = open_clip.create_model(TINY_CLIP, pretrained=None)
    path = folder / "open_clip_model.safetensors"
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)
    return path, model.eval()


@pytest.fixture(scope="module")
def clap_folder(tmp_path_factory):
    """A RoBERTa tokenizer of the right size, made here: real letters, then fillers."""
    folder = tmp_path_factory.mktemp("clap")
    words = TINY_VOCABULARY + [f"filler{n}" for n in range(50_265 - len(TINY_VOCABULARY))]
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return folder


@pytest.fixture(scope="module")
def clap(clap_folder):
    torch.manual_seed(0)
    return LaionClapEncoder(clap_folder, checkpoint=None, device="cpu")


def window(text="a bee", seconds=3.0):
    rng = np.random.default_rng(3)
    frames, rate = round(seconds * 10), 16_000
    line = Timeline(
        width_px=64,
        height_px=48,
        duration_us=round(seconds * 1e6),
        frame_us=np.arange(frames, dtype=np.int64) * 100_000,
        luma=np.zeros(frames, np.float32),
        motion=np.zeros(frames, np.float32),
        colour_change=np.zeros(frames, np.float32),
        thumb_us=np.arange(frames, dtype=np.int64) * 100_000,
        thumbs=rng.integers(0, 255, (frames, 48, 64, 3), dtype=np.uint8),
        audio_start_us=0,
        rate_hz=rate,
        waveform=rng.normal(0, 0.1, round(seconds * rate)).astype(np.float32),
    )
    return Window(line, 0, line.duration_us, text)


def test_clip_gives_what_open_clip_gives_when_called_directly(clip_weights):
    import open_clip
    from PIL import Image

    path, model = clip_weights
    encoder = OpenClipEncoder(path, model=TINY_CLIP, device="cpu")
    images = window().thumbnails(2)
    _, _, preprocess = open_clip.create_model_and_transforms(TINY_CLIP, pretrained=None)
    with torch.inference_mode():
        direct = model.encode_image(torch.stack([preprocess(Image.fromarray(one)) for one in images]), normalize=True)
        words = model.encode_text(open_clip.get_tokenizer(TINY_CLIP)(["a bee"]), normalize=True)
    np.testing.assert_allclose(encoder.embed_images(images), direct.numpy(), atol=1e-5)
    np.testing.assert_allclose(encoder.embed_texts(["a bee"]), words.numpy(), atol=1e-5)


def with_tracks(semantics, one):
    line = one.timeline
    return replace(one, picture_track=semantics.picture_track(line), sound_track=semantics.sound_track(line))


def test_the_clip_score_is_the_least_cosine_and_the_largest_step(clip_weights):
    semantics = Semantics(images=OpenClipEncoder(clip_weights[0], model=TINY_CLIP, device="cpu"))
    track = semantics.picture_track(window().timeline)
    words, without = ClipScore(semantics).score([replace(window(text), picture_track=track) for text in ("a bee", "")])
    features = semantics.images.embed_images(window().timeline.thumbs)
    bee = semantics.images.embed_texts(["a video of a bee"])[0]
    assert words["image_text_min"] == pytest.approx((features[[5, 15, 25]] @ bee).min(), abs=2e-3)
    assert np.isnan(without["image_text_min"])
    steps = np.linalg.norm(np.diff(features, axis=0), axis=1)
    assert words["image_jump_max"] == without["image_jump_max"] == pytest.approx(steps.max(), abs=2e-3)


def test_the_template_is_a_setting_and_part_of_what_names_a_score(clip_weights):
    encoder = OpenClipEncoder(clip_weights[0], model=TINY_CLIP, device="cpu")
    plain, other = (Semantics(SemanticSettings(image_template=one), images=encoder) for one in ("a {}", "no {} at all"))
    assert not np.allclose(plain.picture_words(["bee"]), other.picture_words(["bee"]), atol=1e-3)
    np.testing.assert_allclose(plain.picture_words(["bee"]), encoder.embed_texts(["a bee"]), atol=1e-5)
    assert ClipScore(plain).settings != ClipScore(other).settings
    assert plain.picture_key == other.picture_key, "embeddings of pictures do not depend on words"
    with pytest.raises(ValueError, match="one gap"):
        SemanticSettings(image_template="a bee")


@pytest.mark.parametrize("template", ["a {} }", "a { {}", "a {{}} bee", "{}}}", "{} and {}", "{0} bee", "a bee"])
@pytest.mark.parametrize("of", ["image_template", "sound_template"])
def test_a_template_that_could_not_take_a_caption_is_refused_with_the_recipe(template, of):
    with pytest.raises(ValidationError, match="no other brace"):
        SemanticSettings(**{of: template})


@pytest.mark.parametrize(
    ("vocabulary", "fault"),
    [
        (["bee", "bee"], "twice: 'bee'"),
        (["bee", "drum", "Bee"], "twice: 'bee'"),
        (["church bell", "church  bell "], "twice: 'church bell'"),
        (["bee", " "], "no name"),
    ],
)
def test_a_class_stands_in_the_vocabulary_once(vocabulary, fault):
    with pytest.raises(ValidationError, match=fault):
        SemanticSettings(vocabulary=vocabulary)


def test_where_laion_clap_is_not_installed_the_remedy_leaves_numpy_as_it_is(clap_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "laion_clap", None)
    with pytest.raises(Unavailable, match="laion-clap cannot be imported") as lack:
        LaionClapEncoder(clap_folder, checkpoint=None, device="cpu")
    named = next(word for word in lack.value.remedy.split() if word.endswith(".txt"))
    assert "--override" in lack.value.remedy and "numpy>=2" in (ROOT / named).read_text()


@pytest.mark.parametrize("count", [1, 64, 130])
def test_many_threads_get_their_own_rows(count):
    sizes = []

    def double(rows):
        sizes.append(len(rows))
        return rows * 2

    batcher = Batcher(double, size=64)
    rows = [np.full((count, 3), number, np.float32) for number in range(20)]
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(batcher, rows))
    assert all(np.array_equal(one, 2 * other) for one, other in zip(made, rows, strict=True))
    assert max(sizes) <= 64 and sum(sizes) == 20 * count


def test_what_fails_in_a_batch_fails_for_who_asked_and_the_next_goes_on():
    def picky(rows):
        if rows.min() < 0:
            raise ValueError("below zero")
        return rows

    batcher = Batcher(picky, size=4)
    with pytest.raises(ValueError, match="below zero"):
        batcher(np.full((2, 1), -1, np.float32))
    assert batcher(np.ones((2, 1), np.float32)).shape == (2, 1)


def test_refuses_weights_of_another_model(tmp_path, clip_weights):
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(BadInput, match="does not hold"):
        OpenClipEncoder(tmp_path / "other.safetensors", model=TINY_CLIP)


@pytest.mark.parametrize("damage", ["cut short", "no tensors", "gone"])
def test_refuses_a_clip_file_that_is_damaged(tmp_path, clip_weights, damage):
    from safetensors.torch import save_file

    path = tmp_path / "open_clip_model.safetensors"
    if damage == "cut short":
        path.write_bytes(clip_weights[0].read_bytes()[:-1000])
    elif damage == "no tensors":
        save_file({}, path)
    with pytest.raises(BadInput):
        OpenClipEncoder(path, model=TINY_CLIP)


def test_texts_do_not_depend_on_how_they_are_batched(clip_weights):
    encoder = OpenClipEncoder(clip_weights[0], model=TINY_CLIP, device="cpu")
    texts = [f"{n} bees" for n in range(70)]
    np.testing.assert_allclose(encoder.embed_texts(texts)[-1:], encoder.embed_texts(texts[-1:]), atol=1e-5)


def test_the_default_models_tokenizer_ships_inside_open_clip():
    import open_clip

    tokens = open_clip.get_tokenizer("ViT-B-32")(["a cat"])
    assert tokens.shape == (1, 77)
    assert tokens[0, :4].tolist() == [49406, 320, 2368, 49407]


def test_clap_gives_what_laion_clap_gives_when_called_directly(clap):
    semantics = Semantics(sounds=clap)
    track = semantics.sound_track(window().timeline)
    assert track.at_us.tolist() == [0, 500_000, 1_000_000, 1_500_000, 2_000_000, 2_500_000]
    wave = window().timeline.waveform
    part = resample_poly(np.pad(wave, 16_000), 3, 1)[48_000 + 24_000 - 48_000 :][:96_000].astype(np.float32)
    direct = clap.module.get_audio_embedding_from_data(part[None])
    np.testing.assert_allclose(track.nearest(np.array([500_000.0])), direct, atol=5e-3)
    spoken, silent = ClapScore(semantics).score([replace(window(text), sound_track=track) for text in ("a bee", "")])
    words = clap.embed_texts(["the sound of a bee"])[0]
    heard = track.nearest(np.array([500_000.0, 1_500_000.0, 2_500_000.0]))
    assert spoken["audio_text_min"] == pytest.approx((heard @ words).min(), abs=1e-4)
    assert np.isnan(silent["audio_text_min"])
    direct = clap.module.get_text_embedding(["a bee", "abc"])
    np.testing.assert_allclose(clap.embed_texts(["a bee", "abc"]), direct, atol=1e-6)
    assert not np.allclose(direct[0], direct[1], atol=1e-4), "the tokenizer does not tell texts apart"


def test_clap_keeps_its_spectrogram_exact_in_half_precision(clap):
    branch, sound = clap.module.model.audio_branch, torch.randn(1, 48_000)
    with torch.inference_mode():
        exact = branch.logmel_extractor(branch.spectrogram_extractor(sound))
        with torch.autocast("cpu", torch.bfloat16):
            half = branch.logmel_extractor(branch.spectrogram_extractor(sound))
    assert half.dtype == torch.float32
    assert torch.equal(exact, half)


@pytest.fixture(scope="module")
def hugging_clap(clap_folder):
    from transformers import ClapConfig, ClapModel

    torch.manual_seed(0)
    model = ClapModel(ClapConfig())
    return TransformersClapEncoder(clap_folder, model=model, device="cpu"), model


def test_the_other_clap_gives_what_transformers_gives_when_called_directly(hugging_clap):
    from transformers import ClapFeatureExtractor

    encoder, model = hugging_clap
    sounds = np.random.default_rng(1).normal(0, 0.1, (2, 96_000)).astype(np.float32)
    features = ClapFeatureExtractor(truncation="rand_trunc")(list(sounds), sampling_rate=48_000, return_tensors="pt")
    with torch.inference_mode():
        direct = model.get_audio_features(**features)
    direct = torch.nn.functional.normalize(getattr(direct, "pooler_output", direct), dim=1)
    np.testing.assert_allclose(encoder.embed_sounds(sounds), direct.numpy(), atol=1e-5)
    texts = encoder.embed_texts(["a bee", "abc", "a bee"])
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-5)
    assert np.allclose(texts[0], texts[2], atol=1e-6) and not np.allclose(texts[0], texts[1], atol=1e-4)
    with pytest.raises(BadInput, match="ten seconds"):
        encoder.embed_sounds(np.zeros((1, 48_000 * 11), np.float32))


def test_the_other_clap_loads_safetensors_and_refuses_holes(tmp_path, clap_folder, hugging_clap):
    from safetensors.torch import load_file, save_file

    for name in ("vocab.json", "merges.txt"):
        (tmp_path / name).write_bytes((clap_folder / name).read_bytes())
    with pytest.raises(BadInput, match=r"no config\.json"):
        TransformersClapEncoder(tmp_path, device="cpu")
    hugging_clap[1].save_pretrained(tmp_path)
    sound = np.random.default_rng(2).normal(0, 0.1, (1, 48_000)).astype(np.float32)
    loaded = TransformersClapEncoder(tmp_path, device="cpu")
    np.testing.assert_allclose(loaded.embed_sounds(sound), hugging_clap[0].embed_sounds(sound), atol=1e-5)
    state = load_file(tmp_path / "model.safetensors")
    del state["audio_projection.linear1.weight"]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match="lacks weights"):
        TransformersClapEncoder(tmp_path, device="cpu")


def test_the_other_claps_pickle_is_read_as_tensors_alone(tmp_path, clap_folder, hugging_clap):
    class Shell:
        def __reduce__(self):
            return Path.touch, (tmp_path / "run",)

    for name in ("vocab.json", "merges.txt"):
        (tmp_path / name).write_bytes((clap_folder / name).read_bytes())
    hugging_clap[1].config.save_pretrained(tmp_path)
    torch.save(hugging_clap[1].state_dict(), tmp_path / "pytorch_model.bin")
    sound = np.random.default_rng(2).normal(0, 0.1, (1, 48_000)).astype(np.float32)
    loaded = TransformersClapEncoder(tmp_path, device="cpu")
    np.testing.assert_allclose(loaded.embed_sounds(sound), hugging_clap[0].embed_sounds(sound), atol=1e-5)
    torch.save(hugging_clap[1].state_dict() | {"extra": Shell()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(BadInput, match="does not hold a CLAP"):
        TransformersClapEncoder(tmp_path, device="cpu")
    assert not (tmp_path / "run").exists()


def test_agreement_is_the_overlap_of_what_picture_and_sound_would_be_called(clip_weights, clap):
    settings = SemanticSettings(vocabulary=["bee", "drum", "cab"])
    semantics = Semantics(settings, images=OpenClipEncoder(clip_weights[0], model=TINY_CLIP, device="cpu"), sounds=clap)
    one = with_tracks(semantics, window())
    (found,) = AgreementScore(semantics).score([one])
    instants = one.centres_us(3)
    seen = softmax(
        semantics.images.scale * one.picture_track.nearest(instants) @ semantics.picture_words(settings.vocabulary).T
    )
    heard = softmax(
        semantics.sounds.scale * one.sound_track.nearest(instants) @ semantics.sound_words(settings.vocabulary).T
    )
    assert found["agreement"] == pytest.approx(np.sqrt(seen * heard).sum(axis=1).min())
    assert 0 <= found["agreement"] <= 1 and 0 <= found["agreement_entropy"] <= 1
    other = Semantics(SemanticSettings(vocabulary=["bee", "drum"]), images=semantics.images, sounds=clap)
    assert AgreementScore(other).settings != AgreementScore(semantics).settings
    with pytest.raises(Unavailable, match="vocabulary"):
        AgreementScore(Semantics()).check()


def test_tracks_are_kept_in_half_precision_and_read_back_the_same(tmp_path):
    store = EmbeddingStore(tmp_path)
    rows = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    track = Track.of(np.arange(5) * 250_000, rows / np.linalg.norm(rows, axis=1, keepdims=True))
    assert store.read("model", "video") is None
    store.write("model", "video", track)
    again = store.read("model", "video")
    assert np.array_equal(again.embeddings, track.embeddings) and again.embeddings.dtype == np.float16
    assert np.array_equal(again.at_us, track.at_us)
    assert np.array_equal(again.nearest(np.array([240_000.0])), again.within(250_000, 500_000))
    store.path("model", "video").write_bytes(b"PAR1 cut short")
    assert store.read("model", "video") is None
    assert store.remove("video") == 1 and store.remove("video") == 0


def test_clap_refuses_sounds_of_which_it_would_hear_a_random_part(clap):
    with pytest.raises(BadInput, match="ten seconds"):
        clap.embed_sounds(np.zeros((1, clap.rate_hz * 11), np.float32))


def test_a_checkpoint_must_hold_every_weight_of_the_model(clap):
    model = clap.module.model
    state = dict(model.state_dict()) | {"logit_scale_a": torch.tensor(2.5)}
    load_weights(model, state)
    assert model.logit_scale_a.item() == 2.5
    with pytest.raises(BadInput, match="audio_projection"):
        load_weights(model, {name: value for name, value in state.items() if name != "audio_projection.0.weight"})
    with pytest.raises(BadInput, match="HTSAT-tiny"):
        load_weights(model, state | {"audio_projection.0.weight": torch.zeros(3)})


def test_refuses_a_tokenizer_that_knows_too_few_words(tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(TINY_VOCABULARY)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises(BadInput, match="not 50265"):
        load_tokenizer(tmp_path)
    with pytest.raises(BadInput, match=r"has no vocab\.json"):
        load_tokenizer(tmp_path / "nowhere")


def as_numpy_1_wrote_it(path):
    """The same checkpoint with numpy's function under its old name, as in LAION's files."""
    old = path.with_name("old.pt")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(old, "w") as out:
        for entry in archive.infolist():
            renamed = archive.read(entry).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            out.writestr(entry.filename, renamed)
    return old


def test_reads_a_checkpoint_with_the_numbers_of_an_optimiser_in_it(tmp_path):
    weights = {"module.a": torch.ones(2), "module.text_branch.embeddings.position_ids": torch.arange(3)}
    torch.save({"epoch": 3, "state_dict": weights, "optimizer": {"lr": np.float64(1e-4)}}, tmp_path / "new.pt")
    for path in (tmp_path / "new.pt", as_numpy_1_wrote_it(tmp_path / "new.pt")):
        state = read_checkpoint(path)
        assert list(state) == ["a"]
        assert torch.equal(state["a"], torch.ones(2))


class SmuggledScalar:
    """Pickles as numpy's scalar of an object, whose bytes old numpy would unpickle."""

    def __reduce__(self):
        scalar = np.float64(1).__reduce__()[0]
        return scalar, (np.dtype("O"), pickle.dumps("code"))


def test_a_checkpoint_that_holds_code_is_refused(tmp_path):
    for name, content in (("code.pt", subprocess.Popen), ("object.pt", SmuggledScalar()), ("list.pt", [1])):
        torch.save({"state_dict": {"a": content}} if name != "list.pt" else content, tmp_path / name)
        with pytest.raises(BadInput, match="tensors and numbers"):
            read_checkpoint(tmp_path / name)
    (tmp_path / "cut.pt").write_bytes((tmp_path / "code.pt").read_bytes()[:100])
    for name in ("cut.pt", "nowhere.pt"):
        with pytest.raises(BadInput, match="tensors and numbers"):
            read_checkpoint(tmp_path / name)


def test_a_model_is_given_a_long_video_in_pieces_and_no_instant_is_lost():
    given = []

    class Ramp:
        """Embeds a picture by its first pixel and a sound by its first sample."""

        rate_hz, scale = 16_000, 1.0

        def embed_images(self, images):
            given.append(len(images))
            return images[:, 0, 0, :2].astype(np.float32)

        def embed_sounds(self, sounds):
            given.append(len(sounds))
            return sounds[:, :2]

    count = 600
    thumbs = np.arange(count * 12).reshape(count, 2, 2, 3).astype(np.uint8)
    line = replace(
        undecoded(150_000_000),
        thumb_us=np.arange(count) * 250_000,
        thumbs=thumbs,
        waveform=np.random.default_rng(0).normal(0, 0.1, 150 * 16_000).astype(np.float32),
    )
    semantics = Semantics(SemanticSettings(sound_hop_s=0.25, sound_part_s=1.0), images=Ramp(), sounds=Ramp())
    picture, sound = semantics.picture_track(line), semantics.sound_track(line)
    assert max(given) <= 256 and sum(given) == 2 * count
    assert np.array_equal(picture.embeddings, thumbs[:, 0, 0, :2].astype(picture.embeddings.dtype))
    assert np.allclose(sound.embeddings[400], line.waveform[400 * 4000 - 8000 :][:2], atol=1e-3)


def test_absent_weights_are_named_with_the_command_that_fetches_them(tmp_path, monkeypatch):
    monkeypatch.setenv("CLAPBOARD_WEIGHTS", str(tmp_path))
    for score in (ClipScore(), ClapScore()):
        with pytest.raises(Unavailable) as caught:
            score.check()
        assert caught.value.remedy == f"clapboard weights fetch {score.name}"
        assert len(score.settings) == 12, "its name is known without the weights"
    with pytest.raises(Unavailable, match="absent"):
        ClapScore(Semantics(SemanticSettings(sound_model=SoundModel.TRANSFORMERS_CLAP))).check()


IMPORT_CHECK = """
import socket, sys
def refuse(*a, **k): raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = refuse
before = list(sys.path)
from pathlib import Path
from curation.encoders.laion_clap import hub_free
with hub_free(object()):
    import laion_clap
assert sys.path == before, "the import path was changed"
assert sys.modules["laion_clap.training.data"].bert_tokenizer is None, "a tokenizer came from somewhere"
import training, shards
assert Path(training.__file__).parent.parent == Path(shards.__file__).parent.parent, training.__file__
print("ours")
"""


def test_importing_laion_clap_asks_no_network_and_leaves_our_training_ours(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_CHECK], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert done.stdout.strip() == "ours", done.stderr[-2000:]
