"""Every kind of source gives rows: data set lists, parquet, tars, object stores, playlists, web folders."""

import importlib.util
import io
import json
import resource
import sys
import tarfile
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from curation.fetch.failures import FetchFailure
from curation.fetch.objects import fetch_object, take_member
from curation.fetch.settings import FetchSettings
from curation.outcomes import Outcome
from curation.sources.base import RowFault
from curation.sources.identity import canonical_link
from curation.sources.licence import licence_allowed
from curation.sources.read import iter_sources
from curation.sources.settings import SourceSettings
from shards.errors import BadInput
from shards.licences import normal_licence
from tests.curation.reading import read_sources

spec = importlib.util.spec_from_file_location("fetch_server", Path(__file__).with_name("fetch_server.py"))
web = importlib.util.module_from_spec(spec)
sys.modules["fetch_server"] = web
spec.loader.exec_module(web)

FILM = b"\0\0\0\x18ftypmp42" + bytes(2000)
LOOPBACK = FetchSettings(allow_loopback=True, timeout_s=3, retries=0)


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def read(source, **settings):
    return list(iter_sources([source], settings=SourceSettings(**settings), fetch=LOOPBACK))


# --- lists of data sets


VGGSOUND = """---g-f_I2yQ,1,people marching,test
--0PQM4-hqg,30,"waterfall burbling, splashing",train
--56QUhyDQM,185.5,playing tennis,train
broken line
"""


def test_vggsounds_list_is_known_by_its_content(tmp_path):
    first, second, third, fault = read(write(tmp_path / "vggsound.csv", VGGSOUND))
    assert first.link == "https://www.youtube.com/watch?v=---g-f_I2yQ"
    assert (first.start_us, first.end_us, first.label, first.split) == (
        1_000_000,
        11_000_000,
        "people marching",
        "test",
    )
    assert second.label == "waterfall burbling, splashing"
    assert (third.start_us, third.end_us) == (185_500_000, 195_500_000)
    assert (fault.row, fault.outcome) == (4, Outcome.BAD_LINE)


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_vggsounds_list_may_have_been_saved_by_a_spreadsheet(tmp_path, encoding, delimiter):
    lines = (
        "---g-f_I2yQ,1,people marching,test",
        '--0PQM4-hqg,30,"waterfall',
        "--56QUhyDQM,185.5,playing tennis,train",
    )
    table = tmp_path / "vggsound.csv"
    table.write_bytes("\r\n".join(lines).replace(",", delimiter).encode(encoding))
    first, fault, third = read(str(table))
    assert (first.label, third.start_us) == ("people marching", 185_500_000)
    assert (fault.row, fault.outcome) == (2, Outcome.BAD_LINE)


def test_only_the_splits_that_are_asked_for_come(tmp_path):
    rows = read(write(tmp_path / "vggsound.csv", VGGSOUND), splits=["train"])
    assert [one.split for one in rows if not isinstance(one, RowFault)] == ["train", "train"]


AUDIOSET = """# Segments csv created Sun Mar  5 10:54:25 2017
# num_ytids=3, num_segs=3, num_unique_labels=3, num_positive_labels=5
# YTID, start_seconds, end_seconds, positive_labels
--PJHxphWEs, 30.000, 40.000, "/m/09x0r,/t/dd00088"
--ZhevVpy1s, 50.000, 60.000, "/m/012xff"
"""


def test_audiosets_list_takes_names_of_labels_from_beside_it(tmp_path):
    table = write(tmp_path / "balanced_train_segments.csv", AUDIOSET)
    first, second = read(table)
    assert (first.start_us, first.end_us, first.label, first.split) == (
        30_000_000,
        40_000_000,
        "/m/09x0r",
        "balanced_train",
    )
    write(tmp_path / "class_labels_indices.csv", 'index,mid,display_name\n0,/m/09x0r,"Speech"\n72,/t/dd00088,"Gush"\n')
    first, second = read(table)
    assert (first.label, first.caption) == ("Speech", "Speech, Gush")
    assert second.label == "/m/012xff"


# --- tables


def test_parquet_is_read_by_batches_and_by_other_names(tmp_path):
    table = pyarrow.table(
        {
            "Video_Link": [f"https://example.org/{n}.mp4" for n in range(25_000)],
            "begin": [n % 7 / 2 for n in range(25_000)],
            "embedding": [[0.0] * 4] * 25_000,
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "big.parquet")
    rows = read(str(tmp_path / "big.parquet"), columns={"link": "video_link", "start": "begin"})
    assert len(rows) == 25_000
    assert (rows[3].link, rows[3].start_us, rows[3].row) == ("https://example.org/3.mp4", 1_500_000, 4)


@pytest.mark.parametrize("content", [b"", b"PAR1" + bytes(50), b"url\nhttp://x\n"])
def test_a_parquet_file_that_is_none_is_a_fault(tmp_path, content):
    (tmp_path / "bad.parquet").write_bytes(content)
    assert [one.outcome for one in read(str(tmp_path / "bad.parquet"))] == [Outcome.BAD_LINE]


def test_words_of_parquet_are_text_whatever_their_type(tmp_path):
    table = pyarrow.table(
        {
            "path": ["a.mp4", "b.mp4", "c.mp4", "d.mp4"],
            "caption": pyarrow.array([b"a drum", "Käse".encode(), b"gr\xf6\xdfe", None], pyarrow.binary()),
            "label": pyarrow.array([["drum", "snare"], [], ["x"], None], pyarrow.list_(pyarrow.string())),
            "start": [1.5, float("nan"), None, 2.0],
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    first, second, third, fourth = read(str(tmp_path / "t.parquet"))
    assert (first.caption, first.label, first.start_us) == ("a drum", "drum", 1_500_000)
    assert first.note == "label is a list of 2; its first entry is taken"
    assert (second.caption, second.label, second.start_us) == ("Käse", "", None)
    assert (third.row, third.outcome) == (3, Outcome.BAD_ENCODING)
    assert (fourth.caption, fourth.label, fourth.row) == ("", "", 4)


def test_a_parquet_file_that_unpacks_to_gigabytes_is_a_fault_and_takes_none_here(tmp_path):
    """One long word that a dictionary holds once, and that a hundred thousand rows mean."""
    path, before = tmp_path / "bomb.parquet", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    word = pyarrow.array(["x" * 4_000_000])
    words = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 100_000, pyarrow.int32()), word)
    links = pyarrow.array(["https://a.example/1"] * 100_000)
    pyarrow.parquet.write_table(pyarrow.table({"url": links, "caption": words}), path)
    assert path.stat().st_size < 10_000_000
    assert [one.outcome for one in read(str(path))] == [Outcome.BAD_LINE]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


def test_parquet_without_a_column_of_links_is_a_fault(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / "other.parquet")
    assert [one.outcome for one in read(str(tmp_path / "other.parquet"))] == [Outcome.MISSING_COLUMN]


def test_columns_of_a_table_may_have_other_names(tmp_path):
    table = write(tmp_path / "t.csv", "Clip,von,Klasse\nhttps://example.org/a.mp4,0:10,Hund\n")
    (row,) = read(table, columns={"link": "clip", "start": "von", "label": "klasse"})
    assert (row.link, row.start_us, row.label) == ("https://example.org/a.mp4", 10_000_000, "Hund")


def test_a_column_that_we_do_not_have_is_refused():
    with pytest.raises(ValueError, match="no column of ours"):
        SourceSettings(columns={"colour": "x"})


# --- tars


def tar_of(path: Path, members: dict[str, bytes], *, odd: tarfile.TarInfo | None = None) -> Path:
    with tarfile.open(path, "w") as tar:
        if odd:
            tar.addfile(odd)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_samples_of_a_webdataset_are_rows_that_can_be_fetched(tmp_path):
    words = json.dumps(
        {"label": "dog", "url": "http://elsewhere", "path": "/etc/passwd", "start": 1, "end": 2}
    ).encode()
    tar = tar_of(
        tmp_path / "a.tar",
        {"x/1.mp4": FILM, "x/1.json": words, "x/1.txt": b"a dog barks", "x/2.webm": FILM, "x/3.jpg": b"no video"},
    )
    first, second = read(str(tar))
    assert (first.path, first.member, first.caption, first.label) == (tar.resolve(), "x/1.mp4", "a dog barks", "dog")
    assert (first.start_us, first.end_us, first.link) == (1_000_000, 2_000_000, None)
    assert second.member == "x/2.webm" and second.source_id != first.source_id
    got = take_member(tar, first.member, into=tmp_path, name="abc", settings=LOOPBACK)
    assert got.path == tmp_path / "abc.mp4" and got.path.read_bytes() == FILM


@pytest.mark.parametrize("name", ["../../up.mp4", "/abs.mp4", "a/../../b.mp4"])
def test_a_tars_own_names_lead_nowhere(tmp_path, name):
    (tmp_path / "in").mkdir()
    tar = tar_of(tmp_path / "a.tar", {name: FILM})
    (row,) = read(str(tar))
    got = take_member(tar, row.member, into=tmp_path / "in", name="abc", settings=LOOPBACK)
    assert [path.name for path in (tmp_path / "in").iterdir()] == [got.path.name] == ["abc.mp4"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "in"]


def test_links_and_devices_in_a_tar_are_no_samples(tmp_path):
    link = tarfile.TarInfo("evil.mp4")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    tar = tar_of(tmp_path / "a.tar", {"ok.mp4": FILM}, odd=link)
    fault, row = read(str(tar))
    assert row.member == "ok.mp4"
    assert (fault.outcome, fault.row) == (Outcome.NOT_A_VIDEO, 1) and "passwd" not in fault.detail
    with pytest.raises(FetchFailure, match="is no file"):
        take_member(tar, "evil.mp4", into=tmp_path, name="abc", settings=LOOPBACK)
    with pytest.raises(FetchFailure, match="more than"):
        take_member(tar, "ok.mp4", into=tmp_path, name="abc", settings=FetchSettings(max_bytes=100))


def test_a_tar_that_breaks_off_or_holds_no_video_is_a_fault(tmp_path):
    whole = tar_of(tmp_path / "a.tar", {"a.mp4": FILM, "b.mp4": FILM}).read_bytes()
    (tmp_path / "b.tar").write_bytes(whole[:3200])
    assert Outcome.BAD_LINE in {getattr(one, "outcome", None) for one in read(str(tmp_path / "b.tar"))}
    assert [one.outcome for one in read(str(tar_of(tmp_path / "c.tar", {"a.txt": b"x"})))] == [Outcome.FILE_MISSING]


def test_a_pattern_takes_all_that_match(tmp_path):
    for name in "ab":
        tar_of(tmp_path / f"{name}.tar", {f"{name}.mp4": FILM})
    assert [row.member for row in read(str(tmp_path / "*.tar"))] == ["a.mp4", "b.mp4"]


# --- object stores


def test_objects_below_a_prefix_are_rows_that_can_be_fetched(bucket, tmp_path):
    import s3fs

    files = s3fs.S3FileSystem()
    for name in ("dogs/1.mp4", "dogs/readme.txt", "cats/2.webm"):
        files.pipe_file(f"{bucket}/{name}", FILM)
    rows = read(bucket)
    assert [(row.link, row.label) for row in rows] == [
        (f"{bucket}/cats/2.webm", "cats"),
        (f"{bucket}/dogs/1.mp4", "dogs"),
    ]
    got = fetch_object(rows[1].link, into=tmp_path, name="abc", settings=LOOPBACK)
    assert got.path == tmp_path / "abc.mp4" and got.path.read_bytes() == FILM
    with pytest.raises(FetchFailure) as missing:
        fetch_object(f"{bucket}/dogs/9.mp4", into=tmp_path, name="def", settings=LOOPBACK)
    assert missing.value.outcome is Outcome.NOT_FOUND
    with pytest.raises(FetchFailure) as large:
        fetch_object(rows[1].link, into=tmp_path, name="def", settings=FetchSettings(max_bytes=100))
    assert large.value.outcome is Outcome.TOO_LARGE
    assert [path.name for path in tmp_path.iterdir()] == ["abc.mp4"]
    assert [one.outcome for one in read(f"{bucket}/birds/")] == [Outcome.FILE_MISSING]


# --- lists on sites


@pytest.fixture(scope="module")
def server():
    with web.serve() as running:
        yield running


def test_a_playlist_is_listed_and_none_of_its_videos_is_asked_for(server):
    items = "".join(f"<item><title>film {n}</title><link>{server.base_url}/{n}.mp4</link></item>" for n in range(5))
    feed = f'<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>{items}</channel></rss>'
    link = server.link("/feed.xml", web.body(feed.encode(), "application/rss+xml"))
    rows = read(f"list:{link}", max_entries=3)
    assert [(row.link, row.caption) for row in rows] == [(f"{server.base_url}/{n}.mp4", f"film {n}") for n in range(3)]
    assert not any(path.endswith(".mp4") for path, _ in server.asked)


@pytest.mark.parametrize(
    ("entry", "outcome"),
    [
        ("s3://bucket/film.mp4", Outcome.BAD_LINK),
        ("gs://bucket/film.mp4", Outcome.BAD_LINK),
        ("file:///etc/passwd", Outcome.BAD_LINK),
        ("http://user:secret@example.org/a.mp4", Outcome.BAD_LINK),
        ("http://169.254.169.254/a.mp4", Outcome.BLOCKED_ADDRESS),
    ],
)
def test_an_entry_of_a_list_is_looked_at_as_a_typed_link_is(server, entry, outcome):
    items = "".join(f"<item><link>{link}</link></item>" for link in (entry, f"{server.base_url}/good.mp4"))
    feed = f'<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>{items}</channel></rss>'
    fault, row = read("list:" + server.link("/odd.xml", web.body(feed.encode(), "application/rss+xml")))
    assert (fault.outcome, fault.row) == (outcome, 1)
    assert row.link == f"{server.base_url}/good.mp4"


@pytest.mark.parametrize("name", ["t.csv", "t.txt", "t.jsonl"])
def test_objects_come_from_sources_that_the_operator_named_and_from_no_table(tmp_path, name):
    lines = {
        "t.csv": "url\ns3://bucket/a.mp4\n",
        "t.txt": "s3://bucket/a.mp4\n",
        "t.jsonl": '{"url": "s3://b/a.mp4"}\n',
    }
    assert [one.outcome for one in read(write(tmp_path / name, lines[name]))] == [Outcome.BAD_LINK]


def test_a_list_that_is_not_there_is_one_fault(server):
    assert [one.outcome for one in read(f"list:{server.base_url}/gone")] == [Outcome.NOT_FOUND]


@pytest.mark.parametrize("link", ["list:http://169.254.169.254/", "list:file:///etc/passwd", "prefix:http://10.0.0.1/"])
def test_a_list_inside_a_private_network_is_refused(link):
    (fault,) = read(link)
    assert fault.outcome in (Outcome.BLOCKED_ADDRESS, Outcome.BAD_LINK)


def test_a_web_folder_is_walked_and_not_left(server):
    server.link(
        "/films/",
        web.body(
            b'<a href="../">up</a><a href="?C=N">sort</a><a href="a.MP4">a</a><a href="dogs/">d</a>'
            b'<a href="http://10.0.0.1/films/x.mp4">x</a><a href="/other/b.mp4">b</a><a href="notes.txt">n</a>',
            "text/html",
        ),
    )
    server.link("/films/dogs/", web.body(b'<a href="/films/">up</a><a href="c%20d.webm">c</a>', "text/html"))
    rows = read(f"prefix:{server.base_url}/films")
    base = f"{server.base_url}/films"
    assert [(row.link, row.label) for row in rows] == [(f"{base}/a.MP4", ""), (f"{base}/dogs/c%20d.webm", "dogs")]


# --- which rows are wanted


@pytest.mark.parametrize(
    "link",
    [
        "https://youtu.be/jNQXAC9IVRw?si=abc",
        "https://www.youtube.com/watch?v=jNQXAC9IVRw&list=PL1&t=3s",
        "https://m.youtube.com/watch?t=3&v=jNQXAC9IVRw",
        "https://music.youtube.com/watch?v=jNQXAC9IVRw",
        "https://youtube.com/shorts/jNQXAC9IVRw",
        "https://www.youtube-nocookie.com/embed/jNQXAC9IVRw?rel=0",
        "HTTPS://YouTube.com:443/live/jNQXAC9IVRw#x",
    ],
)
def test_every_address_of_a_video_is_one_video(link):
    assert canonical_link(link) == "https://www.youtube.com/watch?v=jNQXAC9IVRw"


@pytest.mark.parametrize(
    ("link", "canonical"),
    [
        ("https://vimeo.com/76979871?utm_source=x&share=copy&h=3&fbclid=1", "https://vimeo.com/76979871?h=3"),
        ("https://m.youtube.com/playlist?list=PL1&si=x&feature=y", "https://m.youtube.com/playlist?list=PL1"),
        (
            "https://example.org/a?utm_source=x&si=3&feature=1&fbclid=1",
            "https://example.org/a?utm_source=x&si=3&feature=1&fbclid=1",
        ),
        ("https://notvimeo.com/a?share=1", "https://notvimeo.com/a?share=1"),
        ("https://example.org/a?b=c%20d&e", "https://example.org/a?b=c%20d&e"),
        ("https://youtube.com/playlist?list=PL1", "https://youtube.com/playlist?list=PL1"),
        ("https://youtu.be/short", "https://youtu.be/short"),
    ],
)
def test_tracking_is_no_part_of_a_link_on_sites_that_are_known_for_it(link, canonical):
    assert canonical_link(link) == canonical


def test_what_a_benchmark_tests_on_does_not_come_in(tmp_path):
    excluded = tmp_path / "test_ids.txt"
    excluded.write_text(
        "# AVSync15\n---g-f_I2yQ_000001.mp4\nhttps://youtu.be/--0PQM4-hqg\n--56QUhyDQM,185\nlocal_clip\n"
    )
    rows = read(write(tmp_path / "vggsound.csv", VGGSOUND), exclude=[excluded])
    assert [one.outcome for one in rows] == [Outcome.EXCLUDED] * 3 + [Outcome.BAD_LINE]
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "local_clip.mp4").write_bytes(FILM)
    assert [one.outcome for one in read(str(tmp_path / "films"), exclude=[excluded])] == [Outcome.EXCLUDED]


def test_a_list_of_exclusions_may_begin_with_a_byte_order_mark(tmp_path):
    for number, encoding in enumerate(("utf-8-sig", "utf-16")):
        excluded = tmp_path / f"{number}.txt"
        excluded.write_bytes("https://example.org/a.mp4\n".encode(encoding))
        assert [one.outcome for one in read("https://example.org/a.mp4", exclude=[excluded])] == [Outcome.EXCLUDED]


def test_a_list_of_exclusions_that_is_not_there_stops_the_run(tmp_path):
    with pytest.raises(BadInput, match=r"sources\.exclude"):
        read("https://example.org/a.mp4", exclude=[tmp_path / "absent.txt"])


def test_hosts_and_licences_that_are_not_allowed_are_faults(tmp_path):
    table = "url,licence\nhttps://cdn.example.org/a,CC BY 4.0\nhttps://example.org.evil.net/a,CC BY 4.0\n"
    table += "https://example.org/b,CC-BY-NC\nhttps://example.org/c,\n"
    reading = read_sources(
        [write(tmp_path / "t.csv", table)], settings=SourceSettings(hosts=["example.org"], licences=["CC-BY", "CC0"])
    )
    assert [row.row for row in reading.rows] == [2, 5]
    assert [fault.outcome for fault in reading.faults] == [Outcome.HOST_NOT_ALLOWED, Outcome.LICENCE_NOT_ALLOWED]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Creative Commons Attribution license (reuse allowed)", "CC-BY"),
        ("CC BY 4.0", "CC-BY-4.0"),
        ("cc-by-sa-3.0", "CC-BY-SA-3.0"),
        ("https://creativecommons.org/licenses/by-nc/4.0/", "CC-BY-NC-4.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("CC0", "CC0"),
        ("Creative Commons Attribution-NonCommercial", "CC-BY-NC"),
        ("Standard YouTube License", "STANDARD-YOUTUBE-LICENSE"),
    ],
)
def test_licences_have_one_spelling(written, name):
    assert normal_licence(written) == name


def test_a_licence_without_a_version_stands_for_all_versions_and_no_other_licence():
    assert licence_allowed("CC BY 4.0", ["CC-BY"]) and licence_allowed("cc-by", ["CC-BY"])
    assert not licence_allowed("CC BY-SA 4.0", ["CC-BY"])
    assert not licence_allowed("CC BY 3.0", ["CC-BY-4.0"])
    assert licence_allowed("anything", [])
    settings = SourceSettings(licences=["CC-BY"])
    assert settings.allows("CC-BY-4.0") and not settings.allows(None)
    assert SourceSettings(licences=["CC-BY"], unknown_licence=True).allows(None)
