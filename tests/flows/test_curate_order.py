"""What cannot run says so before anything is fetched for it."""

import pytest

from curation.home.folder import Home
from curation.settings.recipe import Recipe
from curation.sources.read import iter_sources
from curation.steps.ingest import register, videos_to_fetch
from curation.steps.politeness import governor_of
from flows import curate as story
from flows.progress import Step
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


def test_a_step_that_is_stopped_takes_no_further_file(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(2000))
    home, recipe, step = Home(tmp_path / "home"), Recipe(), Step("fetching", 1)
    with home.ledger() as ledger:
        register(ledger, iter_sources([tmp_path / "film.mp4"]))
        ids, governor = videos_to_fetch(ledger), governor_of(ledger, recipe.fetch)
        step.stop()
        assert story.fetch_batch.fn(ids, home, recipe, step, governor) == 0
        assert videos_to_fetch(ledger) == ids
        assert story.fetch_batch.fn(ids, home, recipe, Step("fetching", 1), governor) == 1
