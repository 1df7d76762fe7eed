"""Demands are kept: killed anywhere and repeated, or made by four processes at once, each is one row that is done."""

import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from curation.home.folder import Home
from curation.home.takedown import finish_open, take_down
from curation.ledger.tables import ClipRow, SourceEntry, TakedownRow, Video
from curation.outcomes import Outcome
from shards.demands import demanded, open_demands
from shards.publishing import publish
from shards.snapshot import list_snapshots
from shards.takedown import log
from tests.shards.conftest import sample

SHARDS_TESTS = Path(__file__).parents[1] / "shards"
COMMON = """
    import os, shutil, sys
    from pathlib import Path

    from sqlalchemy import event, select
    from sqlalchemy.orm import Session

    import webdataset  # imported once
    from curation.home.folder import Home
    from curation.ledger.open import open_ledger
    from curation.ledger.tables import TakedownRow, Video
    from curation.home.takedown import finish_open, take_down
    from shards.demands import open_demands
    from shards.snapshot import list_snapshots
    from shards.takedown import log
    from shards.verifying import verify
    from killing import killed_at_each_step
"""
KILLED = (
    COMMON
    + """
    whole, root = Path(sys.argv[1]), Path(sys.argv[2])
    home = Home(root)

    def prepare():
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(whole, root)
        return root

    def work(other=False):
        with home.ledger() as ledger:
            # A commit is no event of Python's: each is told of as if it opened a file.
            event.listen(Session, "before_commit", lambda _: sys.audit("open", str(root)))
            event.listen(Session, "after_commit", lambda _: sys.audit("open", str(root)))
            take_down(ledger, "video1" if other else "video0", home=home, reason="asked")

    steps = 0
    for steps in killed_at_each_step(work, prepare):
        with home.ledger() as ledger:
            with ledger.session() as session:
                touched = session.get_one(Video, "video0").fetch == "taken_down"
            if touched or [one.id for one in list_snapshots(home.snapshots)] != ["auto/v1"]:
                known = open_demands(home.snapshots) or log(home.snapshots)
                assert known, f"step {steps}: something was done that nobody knows of"
            if steps % 2 and open_demands(home.snapshots):
                finish_open(ledger, home=home)
            else:
                take_down(ledger, "video0", home=home, reason="asked")
            with ledger.session() as session:
                [row] = session.scalars(select(TakedownRow))
                assert (row.video_id, row.reason, row.snapshots) == ("video0", "asked", ["auto/v1"]), steps
        assert open_demands(home.snapshots) == [], steps
        [line], [left] = log(home.snapshots), list_snapshots(home.snapshots)
        assert (line["keys"], line["withdrawn"], left.id) == (["0000"], ["auto/v1"], "auto/v2"), steps
        assert verify(left) == [] and not list(home.videos.glob("video0.*")), steps
    print(steps)
"""
)
AT_ONCE = (
    COMMON
    + """
    home = Home(Path(sys.argv[1]))
    begin, together = os.pipe()
    for item in sys.argv[2:]:
        if not os.fork():
            os.close(together)
            os.read(begin, 1)
            with home.ledger() as ledger:
                take_down(ledger, item, home=home, reason="asked")
            os._exit(0)
    os.close(together)
    print(*(os.waitstatus_to_exitcode(os.wait()[1]) for _ in sys.argv[2:]))
"""
)


@pytest.fixture
def home(empty_ledger, tmp_path):
    """Six videos that were fetched, each with one clip, all of it published."""
    home = Home(tmp_path)
    home.videos.mkdir(exist_ok=True)
    with empty_ledger.session() as session:
        for n in range(6):
            path = home.videos / f"video{n}.mp4"
            path.write_bytes(b"film")
            session.add(
                Video(id=f"video{n}", link=f"https://example.org/{n}", local=False, path=str(path), fetch=Outcome.OK)
            )
            session.flush()
            session.add(
                SourceEntry(
                    id=f"source{n}", table_name="t", row=n, video_id=f"video{n}", caption="", label="", licence="",
                    outcome="ok", detail="",
                )
            )  # fmt: skip
            session.flush()
            session.add(
                ClipRow(
                    id=f"{n:04x}", video_id=f"video{n}", source_id=f"source{n}", start_us=0, end_us=3_000_000,
                    band="accept", reasons=[], p_good=0.9, scores={}, policy="p", audit=False, current=True, cut="ok",
                )
            )  # fmt: skip
    clips = [sample(n) for n in range(6)]
    clips = [
        replace(one, record=replace(one.record, video_id=f"video{n}", link=f"https://example.org/{n}"))
        for n, one in enumerate(clips)
    ]
    publish(home.snapshots, "auto", clips, recipe={}, clips_per_shard=2)
    return home


def ran(text, *arguments):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (SHARDS_TESTS, SHARDS_TESTS.parents[1])))}
    command = [sys.executable, "-c", textwrap.dedent(text), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def rows(ledger):
    with ledger.session() as session:
        found = select(TakedownRow.video_id, TakedownRow.reason, TakedownRow.snapshots).order_by(TakedownRow.video_id)
        return [tuple(row) for row in session.execute(found)]


def test_killed_before_any_of_its_steps_nothing_that_was_demanded_is_lost(home, empty_ledger, tmp_path):
    empty_ledger.engine.dispose()
    whole = tmp_path / "whole"
    shutil.copytree(tmp_path, whole, ignore=shutil.ignore_patterns("whole"))
    assert int(ran(KILLED, whole, tmp_path / "killed")) >= 10


@pytest.mark.parametrize("items", [("video0", "0001", "https://example.org/2", "video3"), ("video0",) * 4])
def test_of_four_processes_at_once_all_succeed(home, empty_ledger, items):
    assert ran(AT_ONCE, home.root, *items) == "0 0 0 0\n"
    expected = sorted({"video0", *(f"video{n}" for n in range(len({*items})))})
    assert [(video, reason) for video, reason, _ in rows(empty_ledger)] == [(video, "asked") for video in expected]
    assert all(snapshots for _, _, snapshots in rows(empty_ledger))
    [left] = list_snapshots(home.snapshots)
    assert sorted(left.index(["video_id"]).column("video_id").to_pylist()) == sorted(
        {f"video{n}" for n in range(6)} - {*expected}
    )
    assert open_demands(home.snapshots) == []
    assert sorted(key for line in log(home.snapshots) for key in line["keys"]) == [f"000{one[-1]}" for one in expected]


def test_the_same_demand_again_is_the_same_row_and_another_reason_another(home, empty_ledger):
    first = take_down(empty_ledger, "video0", home=home, reason="asked")
    again = take_down(empty_ledger, "video0", home=home, reason="asked")
    assert again.snapshots == first.snapshots and again.files == 0
    take_down(empty_ledger, "video0", home=home, reason="asked by\x1b[31m\nanother")
    assert rows(empty_ledger) == [("video0", "asked", ["auto/v1"]), ("video0", "asked by[31m another", [])]


def test_another_ledger_s_demand_at_the_same_place_is_left_to_it(home, empty_ledger):
    demand = demanded(home.snapshots, ["of another home"], reason="asked", at=demand_time())
    with home.snapshots.joinpath("takedowns.jsonl").open("r+") as log_file:
        told = log_file.read().replace(demand.by, "another-host@1")
        log_file.seek(0)
        log_file.write(told)
    finish_open(empty_ledger, home=home)
    assert [one.items for one in open_demands(home.snapshots)] == [("of another home",)]


def demand_time():
    from datetime import UTC, datetime

    return datetime(2026, 11, 23, tzinfo=UTC)
