"""Any mix of sources: tables, folders, files and links."""

import hashlib
import os
import sys

import pytest

from curation.outcomes import Outcome
from shards.errors import BadInput
from tests.curation.reading import read_sources


def test_a_folder_is_read_in_order_with_the_inner_folders_as_labels(tmp_path):
    for name in ("b/2.webm", "a/1.MP4", "0.mkv", "a/._1.mp4", "a/notes.txt", "a/1.mp4.part"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    reading = read_sources([tmp_path])
    assert [(row.path.name, row.label, row.row) for row in reading.rows] == [
        ("0.mkv", "", 1),
        ("1.MP4", "a", 2),
        ("2.webm", "b", 3),
    ]
    assert reading.faults == []


def test_an_empty_folder_is_a_fault_and_not_silence(tmp_path):
    assert [(fault.row, fault.outcome) for fault in read_sources([str(tmp_path)]).faults] == [(0, Outcome.FILE_MISSING)]


@pytest.mark.skipif(sys.platform == "darwin", reason="this system has no such file names")
def test_a_file_whose_name_is_not_utf8_is_a_fault(tmp_path):
    (tmp_path / os.fsdecode(b"gr\xf6\xdfe.mp4")).touch()
    reading = read_sources([tmp_path])
    assert [fault.outcome for fault in reading.faults] == [Outcome.BAD_ENCODING]
    reading.faults[0].detail.encode()


def test_a_media_file_and_links_are_rows_of_their_own(tmp_path):
    film = tmp_path / "film.mp4"
    film.touch()
    reading = read_sources([film, "https://a.example/1", "file:///etc/passwd", "https://a.example/2"])
    assert [(row.link, row.path, row.row) for row in reading.rows] == [
        (None, film.resolve(), 1),
        ("https://a.example/1", None, 2),
        ("https://a.example/2", None, 4),
    ]
    assert [(fault.row, fault.outcome) for fault in reading.faults] == [(3, Outcome.BAD_LINK)]


@pytest.mark.parametrize("name", ["pipe", "pipe.csv", "pipe.txt", "pipe.tar", "pipe.mp4"])
def test_a_pipe_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    assert [row.path.name for row in read_sources([tmp_path / name]).rows] == [name]


def test_duplicates_are_found_across_sources(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("url\nhttps://a.example/1\n")
    reading = read_sources([table, "https://a.example/1"])
    assert len(reading.rows) == 1
    assert [(fault.table, fault.outcome) for fault in reading.faults] == [("links", Outcome.DUPLICATE_ROW)]


def test_the_id_is_a_digest_of_the_canonical_link_or_the_absolute_path(tmp_path):
    film = tmp_path / "film.mp4"
    film.touch()
    rows = read_sources(["HTTPS://A.example:443/X?y#z", film]).rows
    assert rows[0].source_id == hashlib.sha256(b"https://a.example/X?y").hexdigest()[:20]
    assert rows[1].source_id == hashlib.sha256(str(film.resolve()).encode()).hexdigest()[:20]


@pytest.mark.parametrize("sources", [[], ["no-such-table.csv"], ["https://a.example/1", "no-such-folder"]])
def test_a_source_that_is_not_there_stops_the_run_before_it_begins(sources):
    with pytest.raises(BadInput):
        read_sources(sources)
