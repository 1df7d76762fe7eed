"""The Synchformer score with random or planted tiny weights: what it looks at, what its numbers mean."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from curation.fetch.settings import FetchSettings
from curation.home.folder import Home
from curation.ledger.tables import ScoreRow, Video, WindowRow
from curation.media.analyse import analyse
from curation.media.failures import MediaFailure
from curation.media.look import look
from curation.media.sandbox import MediaWorkers
from curation.media.timeline import Window, undecoded
from curation.outcomes import Outcome
from curation.scores.files import score_files
from curation.scores.registry import build
from curation.scores.synchformer import SynchformerScore, stretch
from curation.scores.trends import trends
from curation.settings.recipe import Recipe
from curation.sources.read import iter_sources
from curation.steps.ingest import fetch_video, register, videos_to_fetch
from curation.steps.measure import measure_video, videos_to_measure
from shards.errors import Unavailable
from shards.weights import folder_of
from tests.curation.synchformer_files import put, random_tensors, sure_of
from training.world import FilmSpec, draw, write_film


@pytest.fixture(autouse=True)
def weights(tmp_path, monkeypatch):
    monkeypatch.setenv("CLAPBOARD_WEIGHTS", str(tmp_path / "weights"))


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("films") / "drum.mp4"
    write_film(draw(FilmSpec(scene="playing_drum", seed=3, duration_s=3.4)), path)
    return path


def span(start_s, end_s, duration_s):
    return stretch(Window(undecoded(round(duration_s * 1e6)), round(start_s * 1e6), round(end_s * 1e6)))


def test_a_window_is_judged_by_the_stretch_around_its_middle():
    assert span(10, 13, 60) == range(28, 42), "8.96 to 13.76 s"
    assert span(0, 3, 60) == range(14)
    assert span(57, 60, 60) == range(172, 186), "the last segment ends at 59.84 s"
    assert span(0, 3, 3) == range(8), "as many as fit"
    assert span(0, 2.8, 2.8) == range(0), "too few"


@given(st.floats(0, 50), st.floats(0.5, 12), st.floats(0, 20))
def test_the_stretch_lies_in_the_video_and_about_the_window(start_s, length_s, rest_s):
    duration_s = start_s + length_s + rest_s
    found = span(start_s, start_s + length_s, duration_s)
    assert len(found) in (0, *range(8, 15))
    if found:
        assert found.start >= 0 and (found.stop - 1) * 0.32 + 0.64 <= duration_s + 1e-6
        middle_s = (found.start * 0.32 + (found.stop - 1) * 0.32 + 0.64) / 2
        at_an_end = found.start == 0 or found.stop * 0.32 + 0.64 > duration_s
        assert at_an_end or abs(middle_s - (start_s + length_s / 2)) <= 0.16 + 1e-5


class Watched:
    """Looks, and remembers at what."""

    def __init__(self, path):
        self.path, self.asked = path, []

    def __call__(self, *, start_us, end_us, **view):
        self.asked.append((start_us, end_us))
        return look(self.path, start_us=start_us, end_us=end_us, **view)


@pytest.mark.parametrize(("number", "late_s"), [(18, -1.6), (11, -0.2), (0, 2.0)])
def test_the_authors_class_of_an_early_sound_is_a_negative_offset(number, late_s, film, tmp_path):
    put("synchformer", sure_of(number), tmp_path)
    line = analyse(film, thumbnails=False)
    [found] = SynchformerScore().score([Window(line, 0, line.duration_us, look=Watched(film))])
    mass = math.exp(5) / (math.exp(5) + 20)
    assert found["synchformer_offset_s"] == pytest.approx(late_s)
    rest = (1 - mass) / 20
    near = mass + 2 * rest if abs(late_s) <= 0.2 else 3 * rest
    assert found["synchformer_p_in_sync"] == pytest.approx(near, abs=1e-4)
    entropy = -(mass * math.log(mass) + 20 * rest * math.log(rest)) / math.log(21)
    assert found["synchformer_entropy"] == pytest.approx(entropy, abs=1e-4)
    assert math.isnan(found["synchformer_synchronisable"]) and found["synchformer_segments"] == 9


def test_windows_that_overlap_look_once_and_say_what_each_says_alone(film, tmp_path):
    put("synchformer", random_tensors(), tmp_path)
    line, watched, score = analyse(film, thumbnails=False), Watched(film), SynchformerScore()
    windows = [Window(line, start, start + 3_000_000, look=watched) for start in (0, 200_000, 400_000)]
    together = score.score(windows)
    assert watched.asked == [(0, 3_200_000)]
    assert [one["synchformer_segments"] for one in together] == [9] * 3
    [alone] = score.score(windows[1:2])
    assert alone == pytest.approx(together[1], abs=1e-4, nan_ok=True)


def test_it_hears_where_the_sound_lies(film, tmp_path):
    put("synchformer", random_tensors(), tmp_path)
    line, score = analyse(film, thumbnails=False), SynchformerScore()
    moved = replace(line, audio_start_us=line.audio_start_us + 500_000)
    padded = replace(line, audio_start_us=line.audio_start_us, waveform=np.pad(line.waveform, (8_000, 0)))
    other = replace(line, rate_hz=8_000, waveform=line.waveform[::2])
    found = score.score([Window(one, 0, line.duration_us, look=Watched(film)) for one in (line, moved, padded, other)])
    assert found[1] == pytest.approx(found[2], abs=1e-5, nan_ok=True)
    assert found[0] != pytest.approx(found[1], abs=1e-5, nan_ok=True)
    assert all(0 <= one["synchformer_p_in_sync"] <= 1 and 0 <= one["synchformer_entropy"] <= 1 for one in found)


def test_what_is_too_short_is_not_measured_nor_looked_at(film, tmp_path):
    put("synchformer", random_tensors(), tmp_path)
    watched = Watched(film)
    short = replace(analyse(film, thumbnails=False), duration_us=2_800_000)
    [found] = SynchformerScore().score([Window(short, 0, 2_800_000, look=watched)])
    assert set(found) == set(SynchformerScore.columns) and all(math.isnan(value) for value in found.values())
    assert watched.asked == []


def test_without_weights_it_says_why_and_which_command_mends_it():
    [score] = build(["synchformer"])
    with pytest.raises(Unavailable, match="weights absent") as lack:
        score.check()
    assert lack.value.remedy == "clapboard weights fetch synchformer"


def test_it_is_asked_for_by_name_and_by_nobody_else():
    recipe = Recipe()
    assert "synchformer" not in {*recipe.scores, *recipe.optional_scores}
    assert trends()["synchformer_p_in_sync"] == 1 and "synchformer_offset_s" not in trends()


def test_other_weights_are_other_settings(tmp_path):
    put("synchformer", sure_of(1), tmp_path)
    score = SynchformerScore()
    score.check()
    first = score.settings
    (folder_of("synchformer") / "weights.lock.json").unlink()
    (folder_of("synchformer") / "synchformer.pt").unlink()
    put("synchformer", sure_of(2), tmp_path)
    assert score.settings != first


@pytest.fixture
def measured(tmp_path, film):
    """A ledger with one video that is fetched, and how to measure it."""
    home, recipe = Home(tmp_path / "home"), Recipe()
    put("synchformer", sure_of(12), tmp_path)
    with home.ledger() as ledger, MediaWorkers(count=1) as workers:
        register(ledger, iter_sources([str(film)]))
        [video_id] = videos_to_fetch(ledger)
        fetch_video(ledger, video_id, home=home, settings=FetchSettings())
        measure = partial(measure_video, ledger, video_id, recipe=recipe, analyser=workers.analyse)
        yield ledger, partial(measure, viewer=workers.look), measure


def test_a_curation_run_measures_it_through_a_confined_process(measured):
    ledger, measure, _ = measured
    scores = build(["loudness", "synchformer"])
    assert measure(scores) is Outcome.OK
    with ledger.session() as session:
        windows = session.scalars(select(WindowRow.id)).all()
        rows = session.execute(select(ScoreRow.window_id, ScoreRow.columns).where(ScoreRow.name == "synchformer")).all()
    assert sorted(window for window, _ in rows) == sorted(windows) and windows
    for _, columns in rows:
        assert columns["synchformer_offset_s"] == pytest.approx(-0.4)
        assert columns["synchformer_synchronisable"] is None
    assert videos_to_measure(ledger, scores, recipe=Recipe()) == []


def test_a_file_that_cannot_be_looked_at_has_an_outcome(measured):
    ledger, _, measure = measured

    def broken(*_, **__):
        raise MediaFailure(Outcome.DECODE_TIMED_OUT, "it was not done")

    assert measure(build(["loudness", "synchformer"]), viewer=broken) is Outcome.DECODE_TIMED_OUT
    with ledger.session() as session:
        assert session.scalars(select(Video.analysis)).one() == Outcome.DECODE_TIMED_OUT
        assert session.scalars(select(WindowRow.id)).all() == []


def test_files_are_scored_without_a_ledger(film, tmp_path):
    put("synchformer", sure_of(10), tmp_path)
    [found] = score_files([film], ["synchformer"])
    assert found["synchformer_offset_s"] == 0 and found["synchformer_segments"] == 9
