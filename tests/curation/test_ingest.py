"""Rows into the ledger: streamed, once, and never what was taken down; what to fetch, and when."""

import importlib.util
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

import curation.ingest as ingest
from curation.explain import explain
from curation.fetch.settings import FetchSettings
from curation.home import Home
from curation.ingest import fetch_video, register, videos_to_fetch
from curation.ledger.tables import SourceEntry, TakedownRow, Video
from curation.outcomes import Outcome
from curation.sources.base import RowFault, SourceRow

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
    assert wanted == {0, 2, 4, 6}
    wanted = {number for number in range(7) if row(number).source_id in videos_to_fetch(any_ledger, retry=True)}
    assert wanted == {0, 2, 3, 4, 5, 6}


def test_the_ledger_says_which_version_of_which_program_fetched_a_video(empty_ledger, tmp_path):
    film = b"\0\0\0\x18ftypmp42" + bytes(2000)
    with web.serve() as server:
        register(empty_ledger, [row(1, link=server.link("/film.mp4", web.body(film)))])
        (video_id,) = videos_to_fetch(empty_ledger)
        fetch_video(empty_ledger, video_id, home=Home(tmp_path), settings=FetchSettings(allow_loopback=True))
    assert explain(empty_ledger, video_id)["fetch"]["by"].startswith("generic, yt-dlp 20")
