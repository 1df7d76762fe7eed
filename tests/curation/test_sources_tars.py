"""Tars of strangers: each member is a row or told, and what a header claims costs nothing."""

import io
import json
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from curation.fetch.failures import FetchFailure
from curation.fetch.objects import take_member
from curation.fetch.settings import FetchSettings
from curation.outcomes import Outcome
from tests.curation.reading import read_sources

FILM = b"\0\0\0\x18ftypmp42" + bytes(2000)


def tar_of(path: Path, *parts: tuple[str, bytes], format=tarfile.GNU_FORMAT) -> Path:
    with tarfile.open(path, "w", format=format) as tar:
        for name, data in parts:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def faults(reading):
    return [(fault.row, fault.outcome) for fault in reading.faults]


def test_names_with_dots_are_videos_of_their_own_with_their_words(tmp_path):
    parts = [
        (f"film_0.{n}.{kind}", FILM if kind == "mp4" else n.encode()) for n in ("25", "5") for kind in ("mp4", "txt")
    ]
    reading = read_sources([tar_of(tmp_path / "a.tar", *parts)])
    assert [(row.member, row.caption) for row in reading.rows] == [("film_0.25.mp4", "25"), ("film_0.5.mp4", "5")]
    assert reading.faults == []


@pytest.mark.parametrize(
    ("video", "word"),
    [
        ("000.mp4", "000.caption.txt"),
        ("000.video.mp4", "000.txt"),
        ("000.video.mp4", "000.caption.txt"),
        ("a/000.mp4", "./a/000.txt"),
        ("v1.2/000.mp4", "v1.2/000.txt"),
        ("000.MP4", "000.TXT"),
    ],
)
def test_words_find_the_video_of_their_key(tmp_path, video, word):
    reading = read_sources([tar_of(tmp_path / "a.tar", (word, b"a drum"), (video, FILM))])
    assert [(row.member, row.caption) for row in reading.rows] == [(video, "a drum")]
    assert reading.faults == []


def test_members_of_a_sample_may_lie_apart(tmp_path):
    parts = [
        ("0.mp4", FILM),
        ("1.mp4", FILM),
        ("0.txt", b"zero"),
        ("1.json", b'{"caption": "one", "label": ["x", "y"]}'),
    ]
    reading = read_sources([tar_of(tmp_path / "a.tar", *parts)])
    assert [(row.caption, row.label) for row in reading.rows] == [("zero", ""), ("one", "x")]
    assert "first entry" in reading.rows[1].note and reading.faults == []


def test_what_goes_with_no_video_or_comes_twice_is_told(tmp_path):
    parts = [
        ("0.mp4", FILM),
        ("9.txt", b"nine"),
        ("film_0.9.txt", b"x"),
        ("film_0.1.mp4", FILM),
        ("film_0.1.txt", b"y"),
    ]
    reading = read_sources([tar_of(tmp_path / "a.tar", *parts, ("0.mp4", FILM), ("odd", FILM))])
    assert [row.member for row in reading.rows] == ["0.mp4", "film_0.1.mp4", "odd"]
    assert sorted(faults(reading)) == [(2, Outcome.FILE_MISSING), (3, Outcome.FILE_MISSING), (6, Outcome.DUPLICATE_ROW)]


def test_what_some_systems_leave_next_to_real_files_is_none(tmp_path):
    reading = read_sources([tar_of(tmp_path / "a.tar", ("x/._0.mp4", FILM), ("x/._0.txt", b"?"), ("x/0.mp4", FILM))])
    assert [row.member for row in reading.rows] == ["x/0.mp4"] and reading.faults == []


def test_words_that_cannot_be_read_are_told_with_their_row(tmp_path):
    long = b"x" * (2 << 20)
    parts = [("0.mp4", FILM), ("0.json", b"{"), ("1.mp4", FILM), ("1.txt", long), ("2.mp4", FILM), ("2.txt", b"\xff")]
    reading = read_sources([tar_of(tmp_path / "a.tar", *parts)])
    assert ["no JSON" in row.note or "not read" in row.note for row in reading.rows] == [True, True]
    assert faults(reading) == [(5, Outcome.BAD_ENCODING)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_words_may_begin_with_a_byte_order_mark(tmp_path, encoding):
    told = json.dumps({"label": "Käse"}, ensure_ascii=False).encode(encoding)
    parts = [("0.mp4", FILM), ("0.txt", "größe".encode(encoding)), ("0.json", told)]
    (row,) = read_sources([tar_of(tmp_path / "a.tar", *parts)]).rows
    assert (row.caption, row.label, row.note) == ("größe", "Käse", "")


def test_a_tar_behind_a_tar_is_read_too(tmp_path):
    one, two = (tar_of(tmp_path / f"{n}.tar", (f"{n}.mp4", FILM)).read_bytes() for n in "ab")
    (tmp_path / "both.tar").write_bytes(one + two)
    assert [row.member for row in read_sources([tmp_path / "both.tar"]).rows] == ["a.mp4", "b.mp4"]


def test_damage_in_the_middle_is_no_end(tmp_path):
    tar = tar_of(tmp_path / "a.tar", ("a.mp4", FILM), ("b.mp4", FILM), ("c.mp4", FILM))
    whole = bytearray(tar.read_bytes())
    at = whole.index(b"b.mp4")
    whole[at : at + 200] = b"\x55" * 200
    tar.write_bytes(whole)
    reading = read_sources([tar])
    assert [row.member for row in reading.rows] == ["a.mp4"]
    assert faults(reading) == [(2, Outcome.BAD_LINE)]
    assert take_member(tar, "a.mp4", into=tmp_path, name="a", settings=FetchSettings()).bytes == len(FILM)


def test_a_member_that_breaks_off_is_no_row(tmp_path):
    tar = tar_of(tmp_path / "a.tar", ("a.mp4", FILM), ("b.mp4", FILM))
    whole = tar.read_bytes()
    tar.write_bytes(whole[: whole.index(b"b.mp4") + 600])
    reading = read_sources([tar])
    assert [row.member for row in reading.rows] == ["a.mp4"]
    assert faults(reading) == [(2, Outcome.BAD_LINE)]


def header(kind: bytes, size: int, name: bytes = b"././@LongLink") -> bytes:
    info = tarfile.TarInfo(name.decode())
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def with_holes(more: int) -> bytes:
    """A file whose map of holes goes on for so many blocks."""
    block = bytearray(header(tarfile.GNUTYPE_SPARSE, 0, b"a.mp4"))
    block[482], block[148:156] = min(more, 1), b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    another = bytearray(512)
    another[504] = 1
    return bytes(block) + bytes(another) * more


CLAIMS = {
    "a long name": header(tarfile.GNUTYPE_LONGNAME, 4 << 30),
    "a long link": header(tarfile.GNUTYPE_LONGLINK, 4 << 30),
    "pax": header(tarfile.XHDTYPE, 4 << 30),
    "pax for all": header(tarfile.XGLTYPE, 4 << 30),
    "Solaris": header(tarfile.SOLARIS_XHDTYPE, 4 << 30),
    "holes": with_holes(20_000),
    "a negative length": header(tarfile.REGTYPE, -1024, b"a.mp4"),
    "a chain of long names": header(tarfile.GNUTYPE_LONGNAME, 0) * 5_000,
}


@pytest.mark.parametrize("behind", [False, True], ids=["first", "behind a film"])
@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_what_a_header_claims_costs_nothing(tmp_path, claim, behind):
    tar = tmp_path / "a.tar"
    start = tar_of(tar, ("ok.mp4", FILM)).read_bytes()[: 512 + 2048] if behind else b""
    with tar.open("wb") as file:
        file.write(start + claim)
        file.truncate(5 << 30)
    tracemalloc.start()
    reading = read_sources([tar])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [row.member for row in reading.rows] == ["ok.mp4"] * behind
    assert [outcome for _, outcome in faults(reading)] == [Outcome.BAD_LINE]
    assert most < 20 << 20


def test_a_file_with_holes_is_told(tmp_path):
    tar = tmp_path / "a.tar"
    tar.write_bytes(with_holes(0) + bytes(1024))
    reading = read_sources([tar])
    assert reading.rows == [] and (1, Outcome.NOT_A_VIDEO) in faults(reading)
    with pytest.raises(FetchFailure, match="is no file"):
        take_member(tar, "a.mp4", into=tmp_path, name="a", settings=FetchSettings())


def test_of_members_with_one_name_the_first_counts_words_too(tmp_path):
    parts = [("a.mp4", FILM), ("a.txt", b"first"), ("a.mp4", FILM), ("a.txt", b"second")]
    reading = read_sources([tar_of(tmp_path / "a.tar", *parts)])
    assert [row.caption for row in reading.rows] == ["first"]
    assert faults(reading) == [(3, Outcome.DUPLICATE_ROW), (4, Outcome.DUPLICATE_ROW)]
