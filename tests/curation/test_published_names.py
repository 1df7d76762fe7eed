"""What published data sets call local files: their names below their source, and no folder of this machine."""

import shutil
import tarfile

import pyarrow.parquet as pq
import pytest

from curation.accounting.explain import explain
from curation.decide.apply import Merging, decide_all
from curation.fetch.settings import FetchSettings
from curation.home.folder import Home
from curation.home.names import published_name
from curation.home.takedown import take_down, videos_of
from curation.ledger.tables import Video
from curation.settings.recipe import Policy, Recipe
from curation.sources.read import iter_sources
from curation.steps.ingest import fetch_video, register, videos_to_fetch
from curation.steps.measure import measure_video
from curation.steps.publish import Selection, publish_selection
from shards.errors import BadInput
from shards.snapshot import open_snapshot

RECIPE = Recipe.model_validate({"policy": Policy(accept_all=True).model_dump(), "clips": {"window_s": 1.0}})


@pytest.mark.parametrize(
    ("link", "table", "name"),
    [
        ("/home/ann/films/dogs/a.mp4", "/home/ann/films", "dogs/a.mp4"),
        ("/home/ann/films/a.mp4", "/home/ann/films/a.mp4", "a.mp4"),
        ("/home/ann/films/dogs/a.mp4", "/home/ann/films/list.csv", "dogs/a.mp4"),
        ("/mnt/x/dogs/a.mp4", "/home/ann/films/list.csv", "a.mp4"),
        ("/home/ann/films/a.tar!/x/1.mp4", "/home/ann/films/a.tar", "a.tar!/x/1.mp4"),
        ("/home/ann/filmsother/a.mp4", "/home/ann/films", "filmsother/a.mp4"),
    ],
)
def test_a_local_file_is_called_by_its_name_below_its_source(link, table, name):
    assert published_name(Video(link=link, local=True), table) == name


def test_a_link_stays_a_link():
    assert published_name(Video(link="https://a.example/1", local=False), "/home/ann/list.csv") == "https://a.example/1"


@pytest.fixture
def sources(film, tmp_path):
    """Films in two folders of one name, in a tar, and alone."""
    root = tmp_path / "private-name"
    for place in ("one/dogs", "two/dogs", "alone"):
        (root / place).mkdir(parents=True)
    shutil.copy(film, root / "one" / "dogs" / "a.mp4")
    for number, path in enumerate((root / "two" / "dogs" / "a.mp4", root / "alone" / "b.mp4")):
        path.write_bytes(film.read_bytes() + b"\0\0\0\x08free" * (number + 1))
    with tarfile.open(root / "t.tar", "w") as tar:
        tar.add(film, "x/1.mp4")
    return root


@pytest.fixture
def journey(sources, empty_ledger, media_workers, tmp_path):
    """Reads, fetches, measures and publishes sources."""
    home = Home(tmp_path)

    def run(*names):
        register(empty_ledger, iter_sources([sources / name for name in names]))
        for video_id in videos_to_fetch(empty_ledger):
            fetch_video(empty_ledger, video_id, home=home, settings=FetchSettings())
            measure_video(empty_ledger, video_id, [], recipe=RECIPE)
        decide_all(empty_ledger, RECIPE.policy, Merging(max_clip_us=10_000_000, audit_share=0))
        return publish_selection(empty_ledger, Selection.AUTO, home=home, recipe=RECIPE, workers=media_workers).snapshot

    return run


def links(snapshot):
    return sorted(set(snapshot.index(["link"]).column("link").to_pylist()))


def test_no_file_of_a_snapshot_names_a_folder_of_this_machine(journey, sources, empty_ledger):
    snapshot = journey("one", "alone/b.mp4", "t.tar")
    assert links(snapshot) == ["b.mp4", "dogs/a.mp4", "t.tar!/x/1.mp4"]
    for path in snapshot.path.iterdir():
        data = path.read_bytes()
        if path.suffix == ".parquet":
            data = str(pq.read_table(path).to_pylist()).encode()
        assert b"private-name" not in data, path
    assert explain(empty_ledger, "dogs/a.mp4")["link"] == str(sources / "one" / "dogs" / "a.mp4")


def test_a_file_is_taken_down_by_its_path_or_by_its_published_name(journey, sources, empty_ledger, tmp_path):
    journey("one", "alone/b.mp4", "t.tar")
    for asked, left in (
        (str(sources / "alone" / "b.mp4"), ["dogs/a.mp4", "t.tar!/x/1.mp4"]),
        ("t.tar!/x/1.mp4", ["dogs/a.mp4"]),
    ):
        take_down(empty_ledger, asked, home=Home(tmp_path), reason="asked")
        assert links(open_snapshot(tmp_path / "snapshots", "auto")) == left
    assert links(journey("one", "alone/b.mp4", "t.tar")) == ["dogs/a.mp4"]


def test_a_name_of_several_files_takes_none_of_them_down(journey, sources, empty_ledger):
    journey("one", "two")
    with pytest.raises(BadInput, match="2 files are published as"):
        videos_of(empty_ledger, "dogs/a.mp4")
    assert len(videos_of(empty_ledger, str(sources / "two" / "dogs" / "a.mp4"))) == 1
