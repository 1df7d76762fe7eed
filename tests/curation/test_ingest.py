"""Rows into the ledger: streamed, once, never what was taken down or is unwanted now; what to fetch, and when."""

import importlib.util
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

import curation.steps.ingest as ingest
from curation.accounting.explain import explain
from curation.fetch.settings import FetchSettings
from curation.home.folder import Home
from curation.ledger.tables import SourceEntry, TakedownRow, Video
from curation.outcomes import Outcome
from curation.sources.base import RowFault, SourceRow
from curation.sources.read import iter_sources
from curation.sources.settings import SourceSettings
from curation.steps.ingest import fetch_video, register, videos_to_fetch
from curation.steps.politeness import seconds_to_next_try

spec = importlib.util.spec_from_file_location("fetch_server", Path(__file__).with_name("fetch_server.py"))
web = importlib.util.module_from_spec(spec)
sys.modules["fetch_server"] = web
spec.loader.exec_module(web)


def row(number, **changes):
    facts = {
        "link": f"https://example.org/{number}.mp4", "path": None, "start_us": None, "end_us": None,
        "caption": f"clip {number}", "label": "", "licence": "", "table": "t.csv", "row": number,
    }  # fmt: skip
    return SourceRow(**facts | changes)


def test_rows_are_written_in_batches_and_counted_once(any_ledger, monkeypatch):
    monkeypatch.setattr(ingest, "ROWS_AT_ONCE", 7)
    rows = [row(number) for number in range(20)] + [RowFault("t.csv", 99, Outcome.BAD_LINK, "ftp://x")]
    assert register(any_ledger, iter(rows)) == 21
    assert register(any_ledger, iter([*rows, row(20)])) == 1
    with any_ledger.session() as session:
        assert session.scalar(select(func.count(SourceEntry.id))) == 22
        assert session.scalar(select(func.count(Video.id))) == 21


def test_words_are_taken_anew_and_a_licence_is_not_lost(any_ledger):
    register(any_ledger, [row(1, caption="old", licence="CC-BY-4.0")])
    register(any_ledger, [row(1, caption="new")])
    with any_ledger.session() as session:
        entry = session.scalars(select(SourceEntry)).one()
        assert (entry.caption, entry.licence) == ("new", "CC-BY-4.0")


def test_a_video_that_was_taken_down_does_not_come_back(any_ledger):
    register(any_ledger, [row(1)])
    gone = row(1).source_id
    with any_ledger.session() as session:
        session.add(TakedownRow(video_id=gone, link="l", reason="asked", snapshots=[]))
        session.get_one(Video, gone).fetch = Outcome.TAKEN_DOWN
    register(any_ledger, [row(1), row(1, start_us=5), row(2)])
    with any_ledger.session() as session:
        rows = session.execute(select(SourceEntry.video_id, SourceEntry.outcome))
        assert {video == gone: outcome for video, outcome in rows} == {True: "taken_down", False: "ok"}
    assert videos_to_fetch(any_ledger, retry=True) == [row(2).source_id]


def test_what_was_taken_down_under_another_id_of_its_link_does_not_come_back(any_ledger):
    link = "https://a.example/watch?utm_source=x"
    with any_ledger.session() as session:
        session.add(TakedownRow(video_id="an-id-of-before", link=link, reason="asked", snapshots=[]))
    register(any_ledger, [row(1, link=link), row(2)])
    assert videos_to_fetch(any_ledger, retry=True) == [row(2).source_id]


def test_only_what_may_work_is_fetched_again_and_not_before_its_time(any_ledger, tmp_path):
    register(any_ledger, [row(number) for number in range(7)])
    now = datetime.now(UTC)
    there = tmp_path / "there.mp4"
    there.touch()
    states = {
        1: {"fetch": Outcome.OK, "path": str(there)},
        2: {"fetch": Outcome.OK, "path": str(Path("gone.mp4"))},
        3: {"fetch": Outcome.REMOVED},
        4: {"fetch": Outcome.TIMED_OUT},
        5: {"fetch": Outcome.RATE_LIMITED, "retry_at": now + timedelta(hours=1)},
        6: {"fetch": Outcome.RATE_LIMITED, "retry_at": now - timedelta(hours=1)},
    }
    with any_ledger.session() as session:
        for number, facts in states.items():
            for name, value in facts.items():
                setattr(session.get_one(Video, row(number).source_id), name, value)
    wanted = {number for number in range(7) if row(number).source_id in videos_to_fetch(any_ledger)}
    # Number 2 came and its file has left: it is fetched again once something needs it.
    assert wanted == {0, 4, 6}
    wanted = {number for number in range(7) if row(number).source_id in videos_to_fetch(any_ledger, retry=True)}
    assert wanted == {0, 3, 4, 5, 6}


class TestWhatIsNoLongerWanted:
    @pytest.fixture
    def lists(self, tmp_path):
        """A table of three links, and a list that excludes the first."""
        table, excluded = tmp_path / "t.csv", tmp_path / "excluded.txt"
        table.write_text("url,licence\nhttps://a.example/1,CC-BY\nhttps://b.example/2,CC-BY-NC\nhttps://a.example/3,\n")
        excluded.write_text("https://a.example/1\n")
        return table, excluded

    def read(self, ledger, *tables, **settings):
        sources = SourceSettings(**settings)
        return register(ledger, iter_sources(list(tables), settings=sources), sources=sources)

    def outcomes(self, ledger):
        with ledger.session() as session:
            rows = session.execute(select(SourceEntry.row, SourceEntry.outcome).order_by(SourceEntry.row))
            return rows.tuples().all()

    @pytest.mark.parametrize(
        ("setting", "line", "outcome"),
        [
            ("exclude", 2, Outcome.EXCLUDED),
            ("hosts", 3, Outcome.HOST_NOT_ALLOWED),
            ("licences", 3, Outcome.LICENCE_NOT_ALLOWED),
        ],
    )
    def test_a_row_that_is_there_becomes_the_fault_and_comes_back_with_the_setting(
        self, any_ledger, lists, setting, line, outcome
    ):
        table, excluded = lists
        settings = {"exclude": {"exclude": [excluded]}, "hosts": {"hosts": ["a.example"]}}
        narrow = settings.get(setting, {"licences": ["CC-BY"], "unknown_licence": True})
        assert self.read(any_ledger, table) == 3 and len(videos_to_fetch(any_ledger)) == 3
        for _ in range(2):
            assert self.read(any_ledger, table, **narrow) == 0
            assert dict(self.outcomes(any_ledger)) == {at: outcome if at == line else "ok" for at in (2, 3, 4)}
            assert len(self.outcomes(any_ledger)) == 3, "the line is counted once"
            assert len(videos_to_fetch(any_ledger, retry=True)) == 2
        self.read(any_ledger, table)
        assert self.outcomes(any_ledger) == [(2, "ok"), (3, "ok"), (4, "ok")]
        assert len(videos_to_fetch(any_ledger)) == 3

    def test_a_fetched_video_goes_for_the_licence_that_its_site_states(self, any_ledger, lists):
        table, _ = lists
        self.read(any_ledger, table)
        with any_ledger.session() as session:
            for video in session.scalars(select(Video)):
                video.fetch = Outcome.OK
        self.read(any_ledger, table, licences=["CC-BY"])
        assert self.outcomes(any_ledger) == [(2, "ok"), (3, "licence_not_allowed"), (4, "licence_not_allowed")]
        with any_ledger.session() as session:
            session.execute(update(SourceEntry).where(SourceEntry.row == 4).values(licence="CC BY 4.0"))
        self.read(any_ledger, table, licences=["CC-BY"])
        assert self.outcomes(any_ledger) == [(2, "ok"), (3, "licence_not_allowed"), (4, "ok")]

    def test_a_span_that_another_line_brings_in_stays(self, any_ledger, tmp_path, monkeypatch):
        monkeypatch.setattr(ingest, "ROWS_AT_ONCE", 1)
        for number, lines in enumerate(("CC-BY,CC-BY-NC", "CC-BY-NC,CC-BY")):
            table = tmp_path / f"{number}.csv"
            link = f"https://a.example/{number}"
            table.write_text("url,licence\n" + "".join(f"{link},{licence}\n" for licence in lines.split(",")))
            self.read(any_ledger, table)
            self.read(any_ledger, table, licences=["CC-BY"])
        assert len(videos_to_fetch(any_ledger)) == 2

    def test_each_of_two_lines_with_one_span_is_counted(self, any_ledger, tmp_path, monkeypatch):
        monkeypatch.setattr(ingest, "ROWS_AT_ONCE", 1)
        table = tmp_path / "t.csv"
        table.write_text("url\nhttps://a.example/1\nhttps://a.example/1\n")
        self.read(any_ledger, table)
        assert self.outcomes(any_ledger) == [(2, "ok"), (3, "duplicate_row")]
        self.read(any_ledger, table, hosts=["b.example"])
        assert self.outcomes(any_ledger) == [(2, "host_not_allowed"), (3, "host_not_allowed")]

    def test_faults_of_a_table_that_is_read_anew_are_those_it_has_now(self, any_ledger, tmp_path):
        table, other = tmp_path / "t.csv", tmp_path / "other.csv"
        table.write_text("url,start\nhttps://a.example/1,x\nftp://a.example/2,\nhttps://a.example/3,\n")
        other.write_text("url\nftp://a.example/4\n")
        assert self.read(any_ledger, table, other) == 4
        table.write_text("url,start\nhttps://a.example/1,1\nftp://a.example/2,\nhttps://a.example/3,\n")
        assert self.read(any_ledger, table) == 1
        assert sorted(self.outcomes(any_ledger)) == [(2, "bad_link"), (2, "ok"), (3, "bad_link"), (4, "ok")]

    def test_nothing_is_waited_for_that_is_not_wanted(self, any_ledger, lists):
        table, _ = lists
        self.read(any_ledger, table)
        with any_ledger.session() as session:
            video = session.scalars(select(Video).where(Video.link == "https://b.example/2")).one()
            video.fetch, video.retry_at = Outcome.RATE_LIMITED, datetime.now(UTC) + timedelta(hours=1)
        assert seconds_to_next_try(any_ledger) > 3000
        self.read(any_ledger, table, hosts=["a.example"])
        assert seconds_to_next_try(any_ledger) is None


def test_the_ledger_says_which_version_of_which_program_fetched_a_video(empty_ledger, tmp_path):
    film = b"\0\0\0\x18ftypmp42" + bytes(2000)
    with web.serve() as server:
        register(empty_ledger, [row(1, link=server.link("/film.mp4", web.body(film)))])
        (video_id,) = videos_to_fetch(empty_ledger)
        fetch_video(empty_ledger, video_id, home=Home(tmp_path), settings=FetchSettings(allow_loopback=True))
    assert explain(empty_ledger, video_id)["fetch"]["by"].startswith("generic, yt-dlp 20")


def test_an_object_that_no_source_names_is_not_read_with_our_credentials(empty_ledger, bucket, tmp_path):
    import s3fs

    s3fs.S3FileSystem().pipe_file(f"{bucket}/a.mp4", b"\0\0\0\x18ftypmp42" + bytes(2000))
    for table, outcome in (("list:https://a.example/", Outcome.BAD_LINK), (bucket, Outcome.OK)):
        register(empty_ledger, [row(1, link=f"{bucket}/a.mp4", table=table, start_us=len(table))])
        video_id = row(1, link=f"{bucket}/a.mp4").source_id
        assert fetch_video(empty_ledger, video_id, home=Home(tmp_path), settings=FetchSettings()) is outcome
