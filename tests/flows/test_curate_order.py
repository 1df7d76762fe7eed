"""What cannot run says so before anything is fetched for it."""

import pytest

from curation.home.folder import Home
from curation.settings.recipe import Recipe
from flows import curate as story
from shards.errors import BadInput, Unavailable


@pytest.mark.parametrize(("score", "error", "words"), [("nope", BadInput, "no score"), ("clip", Unavailable, "clip")])
def test_a_recipe_whose_scores_cannot_run_is_refused_before_its_sources_are_read(
    tmp_path, monkeypatch, score, error, words
):
    monkeypatch.setenv("CLAPBOARD_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setattr(story, "read_rows", lambda *_: pytest.fail("it read the sources"))
    params = story.CurateParams(
        sources=["https://example.org/film.mp4"], home=tmp_path / "home", recipe=Recipe(scores=["motion", score])
    )
    with pytest.raises(error, match=words):
        story.curate.fn(params)
    assert not (Home(tmp_path / "home").videos).exists()
