"""Folders: every media file is taken whatever it is called, or told, and no link leads out."""

import os

import pytest

from curation.outcomes import Outcome
from curation.sources.settings import SourceSettings
from tests.curation.reading import read_sources

FILM = b"\0\0\0\x18ftypmp42" + bytes(2000)
SECRET = "sheep-in-the-meadow"


@pytest.fixture
def films(tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    return folder


def faults(reading):
    return [(fault.detail.partition(":")[0].rpartition("/")[2], fault.outcome) for fault in reading.faults]


SUFFIXES = (
    *("mp4", "M4V", "mp4v", "3gp", "3g2", "3GPP", "mts", "m2ts", "MTS", "m2t", "mod", "asf", "f4v", "vob", "mpe"),
    *("m2v", "divx", "ogm", "mxf", "qt", "rmvb", "dv"),
)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_ending_that_films_have_is_taken(films, suffix):
    (films / f"a.{suffix}").touch()
    assert [row.path.name for row in read_sources([films]).rows] == [f"a.{suffix}"]


def test_a_film_by_another_name_is_known_by_its_first_bytes(films):
    for name, data in {"a": FILM, "b.bin": FILM, "c.mp4.bak": FILM, "notes.txt": b"hello", "photo.heic": HEIC}.items():
        (films / name).write_bytes(data)
    reading = read_sources([films])
    assert [row.path.name for row in reading.rows] == ["a", "b.bin", "c.mp4.bak"] and reading.faults == []


HEIC = b"\0\0\0\x18ftypheic" + bytes(400)


def test_what_looks_like_a_film_and_cannot_be_taken_is_told_one_by_one(films):
    (films / "a.mp4.part").write_bytes(FILM)
    (films / "b.mp4").symlink_to("gone.mp4")
    (films / "c.mp4").symlink_to("c.mp4")
    os.mkfifo(films / "d.mp4")
    os.mkfifo(films / "e")
    (films / "f.mp4").write_bytes(FILM)
    (films / "g.tar").touch()
    reading = read_sources([films])
    assert [(row.path.name, row.row) for row in reading.rows] == [("f.mp4", 5)]
    assert faults(reading) == [
        ("a.mp4.part", Outcome.TRUNCATED),
        ("b.mp4", Outcome.FILE_MISSING),
        ("c.mp4", Outcome.FILE_MISSING),
        ("d.mp4", Outcome.NOT_A_VIDEO),
        ("g.tar", Outcome.NOT_A_VIDEO),
    ]
    assert len({(fault.row, fault.outcome) for fault in reading.faults}) == 5


@pytest.mark.parametrize("name", ["a.tar.gz", "a.TGZ", "a.tar.zst", "a.mp4.gz", "a.zip"])
def test_what_is_packed_is_told_with_what_mends_it(films, name):
    (films / name).write_bytes(b"\x1f\x8b" + bytes(100))
    for source in (films, films / name):
        (fault,) = read_sources([source]).faults
        assert fault.outcome is Outcome.NOT_A_VIDEO and "unpack it" in fault.detail


@pytest.fixture
def outside(films, tmp_path):
    """A folder with links to a file, to a folder and, by a detour, to a file outside, and with one that stays."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.mp4").write_bytes(FILM)
    (tmp_path / "secret").write_text(SECRET)
    (films / "own.mp4").write_bytes(FILM)
    (films / "alias.mp4").symlink_to("own.mp4")
    (films / "file.mp4").symlink_to(tmp_path / "secret")
    (films / "folder").symlink_to(tmp_path / "elsewhere")
    (films / "detour.mp4").symlink_to("folder/x.mp4")
    (films / "plain").symlink_to(tmp_path / "secret")
    return films


def test_symbolic_links_stay_below_their_folder(outside):
    reading = read_sources([outside])
    # The file and its alias are one video.
    assert [row.path for row in reading.rows] == [(outside / "own.mp4").resolve()]
    led_out = {name for name, outcome in faults(reading) if outcome is Outcome.LINK_OUTSIDE}
    assert led_out == {"file.mp4", "folder", "detour.mp4", "plain"}
    assert SECRET not in str(reading)


def test_symbolic_links_are_followed_where_a_setting_says_so(outside, tmp_path):
    (outside / "folder" / "back").symlink_to(outside)
    reading = read_sources([outside], settings=SourceSettings(follow_links=True))
    assert {row.path for row in reading.rows} == {
        (outside / "own.mp4").resolve(),
        tmp_path / "secret",
        tmp_path / "elsewhere" / "x.mp4",
    }
    assert Outcome.LINK_OUTSIDE not in {fault.outcome for fault in reading.faults}


def test_a_pattern_does_not_follow_links_out_of_its_folder_and_a_name_does(outside):
    reading = read_sources([f"{outside}/f*.mp4"])
    assert reading.rows == [] and [fault.outcome for fault in reading.faults] == [Outcome.LINK_OUTSIDE]
    assert len(read_sources([outside / "file.mp4"]).rows) == 1
    assert len(read_sources([f"{outside}/*.mp4"], settings=SourceSettings(follow_links=True)).rows) == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_folder_that_cannot_be_read_is_told(films):
    (films / "closed").mkdir(mode=0)
    assert faults(read_sources([films])) == [("closed", Outcome.FILE_MISSING)]
