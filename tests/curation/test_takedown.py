"""A take-down leaves nothing of a video but the note that it was taken down."""

import shutil
import tarfile

import pytest
from sqlalchemy import select

from curation.accounting.explain import explain
from curation.decide.apply import Merging, decide_all
from curation.fetch.settings import FetchSettings
from curation.home.folder import Home
from curation.home.takedown import take_down, videos_of
from curation.ledger.tables import ScoreRow, TakedownRow, WindowRow
from curation.media.sandbox import MediaWorkers
from curation.outcomes import Outcome
from curation.scores.registry import build
from curation.settings.recipe import Policy, Recipe
from curation.sources.read import iter_sources
from curation.steps.ingest import fetch_video, register, videos_to_fetch
from curation.steps.measure import measure_video
from curation.steps.publish import Selection, publish_selection
from shards.errors import BadInput
from shards.snapshot import list_snapshots, open_snapshot
from shards.verifying import verify
from training.world import FilmSpec, draw, write_film

SCENES = ("playing_drum", "ringing_bell")


@pytest.fixture
def published(tmp_path):
    """A home with two videos, all of it published, and its ledger."""
    films, home = tmp_path / "films", Home(tmp_path / "home")
    films.mkdir()
    for scene in SCENES:
        write_film(draw(FilmSpec(scene=scene, seed=1, duration_s=4.0)), films / f"{scene}.mp4")
    recipe, scores = Recipe(policy=Policy(accept_all=True)), build(["motion", "loudness", "sync"])
    with home.ledger() as ledger, MediaWorkers(count=1) as workers:
        register(ledger, iter_sources([str(films)]))
        for video_id in videos_to_fetch(ledger):
            fetch_video(ledger, video_id, home=home, settings=FetchSettings())
            measure_video(ledger, video_id, scores, recipe=recipe)
        decide_all(ledger, recipe.policy, Merging(max_clip_us=10_000_000, audit_share=0))
        publish_selection(ledger, Selection.AUTO, home=home, recipe=recipe, workers=workers)
        yield home, ledger, films


def test_it_leaves_the_ledger_the_home_and_the_snapshots(published):
    home, ledger, films = published
    before = open_snapshot(home.snapshots, "auto").index(["link", "key"]).to_pylist()
    mine = {row["key"] for row in before if "drum" in row["link"]}
    assert mine and len(before) > len(mine)
    removed = take_down(ledger, str(films / "playing_drum.mp4"), home=home, reason="the drummer asked")

    assert [one.id for one in list_snapshots(home.snapshots)] == ["auto/v2"]
    assert verify(open_snapshot(home.snapshots, "auto")) == []
    assert not mine & set(open_snapshot(home.snapshots, "auto").index(["key"]).column("key").to_pylist())
    assert not [path for path in home.root.rglob("*") if path.stem in mine]
    with ledger.session() as session:
        (note,) = session.scalars(select(TakedownRow))
        assert (note.reason, note.snapshots) == ("the drummer asked", ["auto/v1"])
        videos = set(session.scalars(select(WindowRow.video_id)))
        assert removed.video_ids[0] not in videos
        windows = set(session.scalars(select(WindowRow.id)))
        assert set(session.scalars(select(ScoreRow.window_id))) <= windows
    assert (films / "playing_drum.mp4").exists()


def test_it_never_comes_back(published):
    home, ledger, films = published
    (video_id,) = take_down(ledger, str(films / "playing_drum.mp4"), home=home, reason="r").video_ids
    assert video_id not in videos_to_fetch(ledger, retry=True)
    register(ledger, iter_sources([str(films)]))
    assert video_id not in videos_to_fetch(ledger, retry=True)
    assert fetch_video(ledger, video_id, home=home, settings=FetchSettings()) is Outcome.TAKEN_DOWN


def test_what_nobody_knows_cannot_be_taken_down(published):
    home, ledger, _ = published
    with pytest.raises(BadInput, match="knows no"):
        take_down(ledger, "https://example.org/other.mp4", home=home, reason="r")


LISTED = "https://youtu.be/jNQXAC9IVRw?si=1"
SPELLINGS = (
    LISTED,
    "https://www.youtube.com/watch?v=jNQXAC9IVRw",
    "https://m.youtube.com/watch?t=3&v=jNQXAC9IVRw",
    "https://youtube.com/shorts/jNQXAC9IVRw",
)


@pytest.mark.parametrize("asked", SPELLINGS)
def test_a_video_is_found_by_any_spelling_of_its_link(empty_ledger, asked):
    """Whoever demands its removal writes another link than the list did."""
    register(empty_ledger, iter_sources([LISTED]))
    (video_id,) = videos_of(empty_ledger, asked)
    assert explain(empty_ledger, asked)["video_id"] == video_id
    assert explain(empty_ledger, asked)["link"] == LISTED


def test_a_file_is_found_by_its_path_from_here(empty_ledger, tmp_path, monkeypatch):
    films = tmp_path / "films"
    films.mkdir()
    (films / "drum.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    with tarfile.open(films / "more.tar", "w") as tar:
        tar.add(films / "drum.mp4", "x/1.mp4")
    shutil.copy(films / "more.tar", films / "LOUD.TAR")
    sources = [str(films / name) for name in ("drum.mp4", "more.tar", "LOUD.TAR")]
    register(empty_ledger, iter_sources(sources))
    monkeypatch.chdir(films)
    for asked, stored in (
        ("drum.mp4", films / "drum.mp4"),
        ("../films/more.tar!/x/1.mp4", f"{films}/more.tar!/x/1.mp4"),
        ("LOUD.TAR!/x/1.mp4", f"{films}/LOUD.TAR!/x/1.mp4"),
    ):
        assert explain(empty_ledger, asked)["link"] == str(stored)
        assert videos_of(empty_ledger, asked) == videos_of(empty_ledger, str(stored))


@pytest.mark.parametrize("asked", ["", "\0", "https://[", "x" * 5000, "~", "a/../b"])
def test_what_is_no_name_of_anything_is_not_known(empty_ledger, asked):
    register(empty_ledger, iter_sources([LISTED]))
    for ask in (videos_of, explain):
        with pytest.raises(BadInput, match="knows no"):
            ask(empty_ledger, asked)
