"""A run that names no source takes the standing ones, and goes on with what is known where there are none."""

import json

import pytest
from typer.testing import CliRunner

from curation.home.folder import Home
from curation.settings.recipe import Recipe
from flows.cli.app import app
from flows.curate import CurateParams, curate
from flows.server import prefect_server
from flows.standing import NONE
from shards.errors import BadInput
from training.world import FilmSpec, draw, write_film


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    monkeypatch.delenv("CLAPBOARD_LEDGER", raising=False)
    return Home(tmp_path / "home")


def sources(home: Home, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["sources", *arguments, "--home", str(home.root)])
    if done.exception:
        raise done.exception
    return done.output


def test_a_schedule_that_names_nothing_curates_what_stands(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    films, gone = tmp_path / "films", tmp_path / "gone"
    films.mkdir()
    gone.mkdir()
    write_film(draw(FilmSpec(scene="playing_drum", seed=1, duration_s=4.0)), films / "drum.mp4")
    params = CurateParams(home=home.root, recipe=Recipe(scores=["motion", "loudness"], optional_scores=[]))
    with prefect_server(home):
        empty = curate(params)
        assert (empty.new_rows, empty.fetched) == (0, 0) and NONE in empty.not_run

        assert sources(home, "add", "films", "gone") == "2 added, 0 there already\n"
        gone.rmdir()
        first = curate(params)
        assert (first.new_rows, first.fetched, first.measured) == (1, 1, 1)
        (lack,) = first.not_run
        assert str(gone) in lack.what and "nothing at that path" in lack.why

        # A film that came into the folder since is found; one that was done is not done again.
        write_film(draw(FilmSpec(scene="playing_drum", seed=2, duration_s=4.0)), films / "more.mp4")
        assert curate(params).fetched == 1

        sources(home, "remove", "films", str(gone))
        last = curate(params)
        assert (last.new_rows, last.fetched) == (0, 0) and NONE in last.not_run
        assert sum(last.windows.values()) == sum(first.windows.values()) * 2, "what is known is decided anew"


def test_links_are_shown_without_what_opens_them_and_removed_as_they_are_shown(home):
    link, twin = "https://ann:pw@example.org/a.csv?key=1", "https://example.org/b.csv?key=2"
    sources(home, "add", link, twin)
    shown = sources(home, "list").splitlines()
    assert shown == ["https://***@example.org/a.csv?key=***", "https://example.org/b.csv?key=***"]
    assert [json.loads(line)["source"] for line in sources(home, "list", "--json").splitlines()] == shown
    sources(home, "add", "https://example.org/b.csv?key=3")
    with pytest.raises(BadInput, match="no standing source"):
        sources(home, "remove", shown[1])  # two look like that
    sources(home, "remove", shown[0], twin)
    assert sources(home, "list") == "https://example.org/b.csv?key=***\n"
