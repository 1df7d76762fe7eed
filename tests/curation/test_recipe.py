"""Recipes are files that people write: what is wrong in one is said with its place."""

import pytest

from curation.settings.recipe import Recipe, load_recipe
from shards.errors import BadInput


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"scores: [motion]\nfetch: caf\xe9\n", "is not UTF-8 text, line 2"),
        (b"scores: [motion\n", "is not YAML, line 2"),
        (b"- motion\n", "is no table"),
        (b"policy:\n  1: 2\n", "line 2, column 3: the key 1 is no text"),
        (b"polcy: {}\n", "is wrong at polcy"),
        (b"clips: {window_s: -1}\n", "is wrong at clips.window_s"),
    ],
)
def test_a_recipe_that_cannot_be_read_says_where_and_what_mends_it(tmp_path, raw, words):
    file = tmp_path / "recipe.yaml"
    file.write_bytes(raw)
    with pytest.raises(BadInput) as caught:
        load_recipe(file)
    assert words in caught.value.message and caught.value.remedy


def test_an_empty_recipe_is_the_default_one(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text("# all as it is\n")
    assert load_recipe(file) == Recipe()


def test_another_way_to_find_shots_measures_videos_anew(monkeypatch):
    before = Recipe().measuring_key()
    monkeypatch.setattr("curation.settings.recipe.SHOTS_VERSION", 0)
    assert Recipe().measuring_key() != before
