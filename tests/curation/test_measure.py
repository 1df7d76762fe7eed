"""Measuring follows the bytes: a file that changed is measured anew, and nothing of the old one stays."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sqlalchemy import delete, select, update

from curation.encoders.semantics import Semantics
from curation.encoders.settings import SemanticSettings
from curation.fetch.settings import FetchSettings
from curation.home.folder import Home
from curation.ledger.tables import ScoreRow, Video, WindowRow
from curation.media.analyse import analyse
from curation.media.embeddings import EmbeddingStore
from curation.outcomes import Outcome
from curation.scores.loudness import LoudnessScore
from curation.scores.registry import build
from curation.settings.recipe import Recipe
from curation.sources.read import iter_sources
from curation.steps.ingest import fetch_video, register, videos_to_fetch
from curation.steps.measure import measure_video, videos_to_measure
from curation.steps.tracks import TrackMaker
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
            scores = [build([one])[0] if isinstance(one, str) else one for one in names]
            assert measure_video(ledger, video_id, scores, recipe=recipe, analyser=watched) is Outcome.OK
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


class CountingEncoder:
    """Embeds by mean colour, or by loudness, and counts how often it was asked."""

    rate_hz, scale = 16_000, 10.0

    def __init__(self):
        self.asked = 0

    def embed_images(self, images):
        self.asked += 1
        return self._unit(images.reshape(len(images), -1)[:, :4])

    def embed_sounds(self, sounds):
        self.asked += 1
        return self._unit(sounds[:, :4] + 1)

    def embed_texts(self, texts):
        return self._unit(np.array([[len(text), 1, 2, 3] for text in texts]))

    def _unit(self, rows):
        rows = np.asarray(rows, np.float32) + 1e-3
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_new_words_need_no_decoding_and_no_model_to_look_again(measured, tmp_path):
    ledger, _ = measured
    watched, images, sounds = Watched(), CountingEncoder(), CountingEncoder()
    [video_id] = videos_to_measure(ledger, build(["motion"]), recipe=Recipe())

    def measure(**settings):
        recipe = Recipe(semantics=SemanticSettings(**settings))
        semantics = Semantics(recipe.semantics, images=images, sounds=sounds)
        scores = build(["clip", "clap", "agreement"], semantics=semantics)
        maker = TrackMaker(EmbeddingStore(tmp_path / "embeddings"), semantics, recipe.analysis)
        assert measure_video(ledger, video_id, scores, recipe=recipe, analyser=watched, tracks=maker) is Outcome.OK
        assert videos_to_measure(ledger, scores, recipe=recipe) == []
        return {name: values for (name, _), values in columns(ledger).items()}

    first = measure(vocabulary=["drum", "violin"])
    assert len(watched.asked) == 1 and (images.asked, sounds.asked) == (1, 1)
    second = measure(vocabulary=["drum", "violin", "a very long name of a class"], image_template="look, {}!")
    assert len(watched.asked) == 1 and (images.asked, sounds.asked) == (1, 1)
    assert first["agreement"] != second["agreement"] and first["clap"] == second["clap"]


def test_other_threads_can_write_while_a_score_computes(measured):
    ledger, measure = measured

    class Slow(LoudnessScore):
        """Writes to the ledger meanwhile, as another thread would."""

        def score(self, batch):
            with ThreadPoolExecutor(1) as other:
                other.submit(self.write).result(timeout=10)
            return super().score(batch)

        def write(self):
            with ledger.session() as session:
                session.execute(update(Video).values(analysis_detail="written meanwhile"))

    assert measure(Slow())
    with ledger.session() as session:
        assert session.scalars(select(Video.analysis_detail)).one() == "written meanwhile"
        assert session.scalars(select(ScoreRow)).all()


@pytest.mark.parametrize("new", [{"caption": "rain on a roof"}, {"label": "thunder"}])
def test_a_row_that_comes_with_other_words_is_compared_with_those(tmp_path, new):
    film, home, recipe = tmp_path / "film.mp4", Home(tmp_path / "home"), Recipe()
    write_film(draw(FilmSpec(scene="playing_drum", seed=1, duration_s=4.0)), film)
    semantics = Semantics(recipe.semantics, images=CountingEncoder(), sounds=CountingEncoder())
    maker = TrackMaker(home.embeddings, semantics, recipe.analysis)
    scores = build(["loudness", "clip", "clap"], semantics=semantics)

    def listed(**words):
        table = tmp_path / "films.csv"
        table.write_text("path,caption,label\n" + ",".join([film.name, words["caption"], words["label"]]) + "\n")
        register(ledger, iter_sources([str(table)]))

    with home.ledger() as ledger:
        words = {"caption": "", "label": "drum"}
        listed(**words)
        [video_id] = videos_to_fetch(ledger)
        fetch_video(ledger, video_id, home=home, settings=FetchSettings())
        assert measure_video(ledger, video_id, scores, recipe=recipe, tracks=maker) is Outcome.OK
        before = columns(ledger)
        listed(**words)
        assert videos_to_measure(ledger, scores, recipe=recipe) == []
        listed(**words | new)
        assert videos_to_measure(ledger, scores, recipe=recipe) == [video_id]
        assert {name for name, _ in columns(ledger)} == {"loudness"}, "only what reads the words is measured again"
        assert measure_video(ledger, video_id, scores, recipe=recipe, tracks=maker) is Outcome.OK
        after = columns(ledger)
    assert {name for name, window in after if after[name, window] != before[name, window]} == {"clip", "clap"}
