"""Measuring follows the bytes: a file that changed is measured anew, and nothing of the old one stays."""

from sqlalchemy import select

from curation.fetch.settings import FetchSettings
from curation.home import Home
from curation.ingest import fetch_video, register, videos_to_fetch
from curation.ledger.tables import ScoreRow, Video, WindowRow
from curation.measure import measure_video, videos_to_measure
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
