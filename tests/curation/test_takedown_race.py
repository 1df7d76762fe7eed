"""A take-down while a run works on the video: it does not wait for the run, and nothing of the video comes back."""

from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial

import numpy as np
import pytest
from sqlalchemy import func, select, update

from curation.decide.apply import Merging, decide_all
from curation.encoders.semantics import Semantics
from curation.fetch.settings import FetchSettings
from curation.home.cutting import Span, cut_files, cut_span
from curation.home.folder import Home
from curation.home.takedown import TakenDownMeanwhile, take_down, unless_taken_down, withdraw_late
from curation.ledger.tables import ClipRow, FingerprintRow, ScoreRow, TakedownRow, Video, WindowRow
from curation.media.analyse import analyse
from curation.media.cut import cut
from curation.media.failures import MediaFailure
from curation.media.settings import CutSettings
from curation.outcomes import Outcome
from curation.scores.loudness import LoudnessScore
from curation.scores.registry import build
from curation.settings.recipe import Policy, Recipe
from curation.sources.read import iter_sources
from curation.steps.ingest import fetch_video, register, videos_to_fetch
from curation.steps.measure import measure_video, videos_to_measure
from curation.steps.publish import Selection, publish_selection
from curation.steps.tracks import TrackMaker
from tests.curation import fetch_server as web
from training.world import FilmSpec, draw, write_film

FILM = b"\0\0\0\x18ftypmp42" + bytes(2000)
LOCAL_HOST = FetchSettings(allow_loopback=True)


@pytest.fixture
def film(tmp_path):
    return write_film(draw(FilmSpec(scene="playing_drum", seed=1, duration_s=4.0)), tmp_path / "film.mp4")


@pytest.fixture
def here(film, tmp_path):
    """A home, its ledger and the one video in it, which lies on this machine and is not measured yet."""
    home = Home(tmp_path / "home")
    with home.ledger() as ledger:
        register(ledger, iter_sources([str(tmp_path / "film.mp4")]))
        [video_id] = videos_to_fetch(ledger)
        assert fetch_video(ledger, video_id, home=home, settings=FetchSettings()) is Outcome.OK
        yield home, ledger, video_id


def after_a_take_down(ledger, video_id, home, does):
    """The same function, before whose answer somebody has the video taken down."""

    def both(*given, **options):
        answer = does(*given, **options)
        take_down(ledger, video_id, home=home, reason="asked")
        return answer

    return both


def assert_gone(ledger, video_id, home):
    """No file, row or mark of the video is left, and it is never fetched again."""
    with ledger.session() as session:
        video = session.get_one(Video, video_id)
        assert (video.fetch, video.fetch_detail) == (Outcome.TAKEN_DOWN, "asked")
        assert (video.path, video.sha256, video.analysis, video.analysis_key) == (None, None, None, None)
        for table in (WindowRow, ScoreRow, FingerprintRow):
            assert session.scalar(select(func.count()).select_from(table)) == 0, table
        assert set(session.scalars(select(ClipRow.cut))) <= {None}
    folders = (home.videos, home.cuts, home.embeddings.folder)
    assert not [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert videos_to_fetch(ledger, retry=True) == []
    assert videos_to_measure(ledger, build(["loudness"]), recipe=Recipe()) == []


@pytest.mark.parametrize("answer", [web.body(FILM), web.status(404), web.status(503)], ids=["came", "gone", "later"])
def test_a_video_that_is_taken_down_while_its_site_answers_is_not_kept(any_ledger, tmp_path, answer):
    home = Home(tmp_path)
    with web.serve() as server:

        def asked(request):
            take_down(any_ledger, link, home=home, reason="asked")
            answer(request)

        link = server.link("/film.mp4", asked)
        register(any_ledger, iter_sources([link]))
        [video_id] = videos_to_fetch(any_ledger)
        fetch = partial(fetch_video, any_ledger, video_id, home=home, settings=LOCAL_HOST)
        assert fetch() is Outcome.TAKEN_DOWN
        assert_gone(any_ledger, video_id, home)
        before = len(server.asked)
        assert fetch() is Outcome.TAKEN_DOWN
        assert len(server.asked) == before, "its site is never asked again"


def test_a_video_that_is_taken_down_while_its_bytes_come_is_not_kept(empty_ledger, tmp_path):
    home = Home(tmp_path)
    with web.serve() as server:
        register(empty_ledger, iter_sources([server.link("/film.mp4", web.body(FILM))]))
        [video_id] = videos_to_fetch(empty_ledger)

        def progress(*_):
            take_down(empty_ledger, video_id, home=home, reason="asked")

        outcome = fetch_video(empty_ledger, video_id, home=home, settings=LOCAL_HOST, progress=progress)
    assert outcome is Outcome.TAKEN_DOWN
    assert_gone(empty_ledger, video_id, home)


def test_a_fetch_that_was_recorded_over_a_take_down_is_not_tried_again(empty_ledger, tmp_path):
    register(empty_ledger, iter_sources(["https://a.example/1"]))
    [video_id] = videos_to_fetch(empty_ledger)
    take_down(empty_ledger, video_id, home=Home(tmp_path), reason="asked")
    for recorded in (Outcome.TIMED_OUT, Outcome.OK, None):
        with empty_ledger.session() as session:
            session.execute(update(Video).values(fetch=recorded))
        assert videos_to_fetch(empty_ledger, retry=True) == []


def test_a_video_that_is_taken_down_while_it_is_decoded_leaves_no_window(here):
    home, ledger, video_id = here
    analyser = after_a_take_down(ledger, video_id, home, analyse)
    measured = measure_video(ledger, video_id, build(["loudness"]), recipe=Recipe(), analyser=analyser)
    assert measured is Outcome.TAKEN_DOWN
    assert_gone(ledger, video_id, home)


def test_a_video_that_could_not_be_decoded_because_it_was_taken_down_is_no_failure(here):
    home, ledger, video_id = here

    def analyser(*_, **__):
        take_down(ledger, video_id, home=home, reason="asked")
        raise MediaFailure(Outcome.NO_VIDEO, "the file went")

    measured = measure_video(ledger, video_id, build(["loudness"]), recipe=Recipe(), analyser=analyser)
    assert measured is Outcome.TAKEN_DOWN
    assert_gone(ledger, video_id, home)


def test_a_video_that_is_taken_down_while_a_score_computes_leaves_no_score(here):
    home, ledger, video_id = here

    class Slow(LoudnessScore):
        def score(self, batch):
            return after_a_take_down(ledger, video_id, home, super().score)(batch)

    assert measure_video(ledger, video_id, [Slow()], recipe=Recipe()) is Outcome.TAKEN_DOWN
    assert_gone(ledger, video_id, home)


class Embedder:
    """Embeds sounds by their first samples; `meanwhile` is called first."""

    rate_hz, scale = 16_000, 10.0

    def __init__(self, meanwhile):
        self.meanwhile = meanwhile

    def embed_sounds(self, sounds):
        self.meanwhile()
        return self.unit(sounds[:, :4] + 1)

    def embed_texts(self, texts):
        return self.unit(np.array([[len(text), 1, 2, 3] for text in texts]))

    @staticmethod
    def unit(rows):
        rows = np.asarray(rows, np.float32) + 1e-3
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("measured_before", [False, True])
def test_a_video_that_is_taken_down_while_a_model_listens_leaves_no_embedding(here, measured_before):
    home, ledger, video_id = here
    recipe = Recipe()
    if measured_before:
        assert measure_video(ledger, video_id, build(["loudness"]), recipe=recipe) is Outcome.OK
    sounds = Embedder(lambda: take_down(ledger, video_id, home=home, reason="asked"))
    semantics = Semantics(recipe.semantics, sounds=sounds)
    tracks, scores = TrackMaker(home.embeddings, semantics, recipe.analysis), build(["clap"], semantics=semantics)
    assert measure_video(ledger, video_id, scores, recipe=recipe, tracks=tracks) is Outcome.TAKEN_DOWN
    assert_gone(ledger, video_id, home)


@pytest.fixture
def decided(here):
    """The same, its clip decided and not cut yet."""
    home, ledger, video_id = here
    recipe = Recipe(policy=Policy(accept_all=True))
    assert measure_video(ledger, video_id, build(["motion", "loudness", "sync"]), recipe=recipe) is Outcome.OK
    decide_all(ledger, recipe.policy, Merging(max_clip_us=10_000_000, audit_share=0))
    with ledger.session() as session:
        span = Span.of(session.scalars(select(ClipRow)).first())
    return home, ledger, video_id, span


@pytest.mark.parametrize("part", [None, (0, 3_000_000)])
def test_a_video_that_is_taken_down_while_it_is_cut_leaves_no_cut(decided, part):
    home, ledger, video_id, span = decided
    span, settings = Span(span.clip_id, span.sound_late_us, part), CutSettings()
    cutter = after_a_take_down(ledger, video_id, home, cut)
    assert cut_span(ledger, span, home=home, settings=settings, cutter=cutter) is Outcome.TAKEN_DOWN
    assert_gone(ledger, video_id, home)


def test_a_clip_of_a_video_that_was_taken_down_is_not_cut_though_its_file_lies_here(decided):
    home, ledger, video_id, span = decided
    take_down(ledger, video_id, home=home, reason="asked")
    files = cut_files(home, span, CutSettings())
    files.mp4.parent.mkdir(parents=True, exist_ok=True)
    files.mp4.write_bytes(b"left by a run that was killed")
    cutter = pytest.fail
    assert cut_span(ledger, span, home=home, settings=CutSettings(), cutter=cutter) is Outcome.TAKEN_DOWN
    assert_gone(ledger, video_id, home)


def test_a_take_down_waits_for_a_write_that_has_begun_and_takes_that_too(any_ledger, tmp_path):
    home = Home(tmp_path)
    home.videos.mkdir()
    register(any_ledger, iter_sources(["https://a.example/1"]))
    [video_id] = videos_to_fetch(any_ledger)
    file = home.videos / f"{video_id}.mp4"
    with ThreadPoolExecutor(1) as other:
        with unless_taken_down(any_ledger, video_id) as session:
            demand = other.submit(take_down, any_ledger, video_id, home=home, reason="asked")
            assert not wait([demand], timeout=0.5).done, "it came between the question and the write"
            file.touch()
            video = session.get_one(Video, video_id)
            video.fetch, video.path, video.sha256 = Outcome.OK, str(file), "0" * 64
        assert demand.result(timeout=30).files == 1
    assert_gone(any_ledger, video_id, home)
    with pytest.raises(TakenDownMeanwhile), unless_taken_down(any_ledger, video_id):
        pytest.fail("it may not be written any more")


def test_what_was_taken_down_while_a_snapshot_was_written_leaves_it_again(decided, media_workers):
    """The take-down looked through the snapshots before this one was there."""
    home, ledger, video_id, _ = decided
    made = publish_selection(ledger, Selection.AUTO, home=home, recipe=Recipe(), workers=media_workers)
    assert withdraw_late(ledger, {video_id}, home=home) == set()
    with ledger.session() as session:
        session.add(TakedownRow(video_id=video_id, link="film.mp4", reason="asked"))
    assert withdraw_late(ledger, {video_id}, home=home) == {video_id}
    assert not made.snapshot.path.joinpath("snapshot.json").exists()
    with ledger.session() as session:
        assert session.scalars(select(TakedownRow.snapshots)).one() == [made.snapshot.id]
