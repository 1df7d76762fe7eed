"""Measuring follows the bytes: a file that changed is measured anew, and nothing of the old one stays."""

import pytest
from sqlalchemy import delete, select

from curation.fetch.settings import FetchSettings
from curation.home import Home
from curation.ingest import fetch_video, register, videos_to_fetch
from curation.ledger.tables import ScoreRow, Video, WindowRow
from curation.measure import measure_video, videos_to_measure
from curation.media.analyse import analyse
from curation.outcomes import Outcome
from curation.recipe import Recipe
from curation.scores.registry import build
from curation.sources.read import iter_sources
from training.world import FilmSpec, draw, write_film


def test_a_file_that_changed_keeps_no_window_or_score_of_the_old_one(tmp_path):
    film, home, recipe, scores = tmp_path / "film.mp4", Home(tmp_path / "home"), Recipe(), build(["loudness"])
    write_film(draw(FilmSpec(scene="playing_drum", seed=1, duration_s=4.0)), film)
    with home.ledger() as ledger:
        register(ledger, iter_sources([str(film)]))
        [video_id] = videos_to_fetch(ledger)
        fetch_video(ledger, video_id, home=home, settings=FetchSettings())
        measure_video(ledger, video_id, scores, recipe=recipe)
        assert videos_to_measure(ledger, scores, recipe=recipe) == []
        write_film(draw(FilmSpec(scene="playing_drum", seed=1, duration_s=3.2, silent=True)), film)
        fetch_video(ledger, video_id, home=home, settings=FetchSettings())
        assert videos_to_measure(ledger, scores, recipe=recipe) == [video_id]
        measure_video(ledger, video_id, scores, recipe=recipe)
        with ledger.session() as session:
            duration_us = session.get_one(Video, video_id).duration_us
            assert all(end <= duration_us for end in session.scalars(select(WindowRow.end_us)))
            assert [row.columns["peak_amplitude"] for row in session.scalars(select(ScoreRow))] == [0.0]


class Watched:
    """The analysis itself, and what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, path, **options):
        self.asked.append((options["thumbnails"], options["pictures"]))
        return analyse(path, **options)


@pytest.fixture
def measured(tmp_path):
    """A ledger with one video, measured for loudness, and how to measure it for more."""
    film, home, recipe, watched = tmp_path / "film.mp4", Home(tmp_path / "home"), Recipe(), Watched()
    write_film(draw(FilmSpec(scene="playing_drum", seed=1, duration_s=4.0)), film)
    with home.ledger() as ledger:
        register(ledger, iter_sources([str(film)]))
        [video_id] = videos_to_fetch(ledger)
        fetch_video(ledger, video_id, home=home, settings=FetchSettings())

        def measure(*names):
            before = len(watched.asked)
            assert measure_video(ledger, video_id, build(names), recipe=recipe, analyser=watched) is Outcome.OK
            return watched.asked[before:]

        yield ledger, measure


def columns(ledger):
    with ledger.session() as session:
        rows = session.execute(select(ScoreRow.name, ScoreRow.window_id, ScoreRow.columns))
        return {(name, window): values for name, window, values in rows}


def test_a_new_score_decodes_only_what_it_needs(measured):
    _, measure = measured
    assert measure("motion") == [(True, True)]
    assert measure("motion", "loudness") == [(False, False)]
    assert measure("motion", "loudness", "sync") == [(False, True)]


def test_sound_alone_measures_what_the_whole_pass_does(measured):
    ledger, measure = measured
    measure("loudness")
    together = columns(ledger)
    with ledger.session() as session:
        session.execute(delete(ScoreRow))
    assert measure("loudness") == [(False, False)]
    assert columns(ledger) == together
