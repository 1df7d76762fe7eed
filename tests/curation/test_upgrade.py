"""A home of 0.1.0 goes on under today's code: its ledger is migrated with all its rows, and every step works on it."""

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import MetaData, insert, select, text

from curation.accounting.explain import explain
from curation.accounting.funnel import funnel
from curation.decide.apply import Merging, decide_all
from curation.decide.policy import Policy
from curation.home.backup import back_up
from curation.home.folder import Home
from curation.home.restore import restore
from curation.home.takedown import take_down
from curation.ledger.faults import LedgerError
from curation.ledger.open import ledger_engine, open_ledger
from curation.ledger.revisions import known, make_schema, newest, revision_of
from curation.ledger.tables import ClipRow, JudgedRow, ReviewRow, ScoreRow, SourceEntry, VerdictRow, Video
from curation.review.answers import record
from curation.review.progress import progress
from curation.review.queue import enrol, flagged
from curation.settings.recipe import Recipe, load_recipe
from curation.settings.review import ReviewSettings
from curation.steps.publish import Selection, publish_selection
from curation.verdicts.answers import Verdict
from shards.errors import BadInput
from shards.publishing import publish
from shards.snapshot import list_snapshots, open_snapshot
from shards.verifying import verify
from tests.shards.conftest import sample
from tests.shards.test_card import as_before_there_were_cards

ROOT = Path(__file__).resolve().parent.parent.parent
FIRST = "0001"
LIKENESS = "policy.correction.likeness"
LINK = "https://example.org/drum.mp4"


def rows_of_then(film) -> dict[str, list[dict]]:
    """What 0.1.0 wrote of two videos: one decided and answered twice, one that could not be fetched."""
    video = {"local": False, "fetched_at": None, "uploader": None, "fetch_detail": "", "analysis_detail": ""}
    nothing = {"path": None, "sha256": None, "bytes": None, "analysis": None, "analysis_key": None, "duration_us": None}
    here = {"path": str(film), "sha256": "5" * 64, "bytes": film.stat().st_size, "analysis": "ok", "analysis_key": "k"}
    words = {"table_name": "links.csv", "start_us": None, "end_us": None, "licence": "CC BY 4.0", "detail": ""}
    span = {"video_id": "v", "source_id": "r"}
    decided = {"p_good": 0.7, "scores": {"sync": 0.4}, "policy": "old", "audit": False, "current": True, "cut": None}
    said = {"clip_id": "a" * 40, "reviewer": "ann"}
    took = {"outcome": "ok", "caption": "", "label": "", "proposal": None} | words
    drum = {"caption": "a drum", "label": "drum", "proposal": "ok"}
    fetched = {"link": LINK, "fetch": "ok", "cuts_us": [1_000_000]}
    gone = {"link": "https://example.org/gone.mp4", "fetch": "not_found", "cuts_us": []}
    windows = [{"id": f"w{n}", "start_us": n * 500_000, "end_us": (n + 2) * 500_000} for n in range(4)]
    review = {"band": "review", "reasons": ["weak_synchrony"]}
    policy = {"policy": "old", "band": "accept", "reasons": [], "p_good": 0.7}
    return {
        "source": [
            took | {"id": "r", "row": 1, "video_id": "v"} | drum,
            took | {"id": "s", "row": 2, "video_id": "w"},
            took | {"id": "t", "row": 3, "video_id": None, "outcome": "bad_span"},
        ],
        "video": [video | nothing | here | {"id": "v"} | fetched, video | nothing | {"id": "w"} | gone],
        "window": [one | span | {"shot": 0, "crosses_cut": False} for one in windows],
        "score": [{"window_id": f"w{n}", "name": "sync", "version": 1, "columns": {"sync": n / 4}} for n in range(4)],
        "decision": [policy | {"window_id": f"w{n}"} for n in range(4)],
        "clip": [
            span | decided | review | {"id": "a" * 40, "start_us": 500_000, "end_us": 2_500_000},
            span | decided | review | {"id": "b" * 40, "start_us": 0, "end_us": 400_000},
        ],
        "verdict": [
            said | {"id": 1, "verdict": "reject", "reason": "meaning"},
            said | {"id": 2, "verdict": "accept", "reason": ""},
        ],
        "snapshot": [{"id": "auto/v1", "content": "c", "clips": 3}],
    }


def write_as_then(url: str, film) -> dict[str, list[dict]]:
    """A ledger at the first revision, with rows; returns them."""
    written, engine = rows_of_then(film), ledger_engine(url)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        make_schema(connection, FIRST)
        tables = MetaData()
        tables.reflect(connection)
        for name in ("source", "video", "window", "score", "decision", "clip", "verdict", "snapshot"):
            connection.execute(insert(tables.tables[name]), written[name])
        if engine.dialect.name == "postgresql":
            # As the server would have counted.
            connection.execute(text("SELECT setval(pg_get_serial_sequence('verdict', 'id'), 2)"))
    engine.dispose()
    return written


def now_held(url: str) -> dict[str, list[dict]]:
    engine, tables = ledger_engine(url), MetaData()
    with engine.connect() as connection:
        tables.reflect(connection)
        found = {
            name: [
                dict(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            ]
            for name, table in tables.tables.items()
        }
    engine.dispose()
    return found


@pytest.fixture
def old(ledger_url, film, tmp_path, monkeypatch):
    """A home whose ledger, on either kind of database, and whose snapshot are of 0.1.0."""
    monkeypatch.setenv("CLAPBOARD_LEDGER", ledger_url)
    monkeypatch.delenv("CLAPBOARD_SNAPSHOTS", raising=False)
    home = Home(tmp_path / "home")
    home.make()
    as_before_there_were_cards(publish(home.snapshots, "auto", [sample(n) for n in range(3)], recipe={}).snapshot)
    write_as_then(ledger_url, film)
    return home


@pytest.mark.parametrize("by_way_of", sorted(known()))
def test_every_row_of_then_is_there_now_from_whatever_revision(ledger_url, film, by_way_of):
    written, engine = write_as_then(ledger_url, film), ledger_engine(ledger_url)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        make_schema(connection, by_way_of)
    engine.dispose()
    with open_ledger(ledger_url):
        pass
    held = now_held(ledger_url)
    assert held["alembic_version"] == [{"version_num": newest()}]
    for name, rows in written.items():
        kept = [{column: row[column] for column in rows[0]} for row in held[name]]
        assert kept == sorted(rows, key=lambda row: tuple(str(row[key]) for key in ("id", "window_id") if key in row))


def test_what_was_answered_then_counts_now(old):
    with old.ledger(must_exist=True) as ledger, ledger.session() as session:
        review = session.get_one(ReviewRow, "a" * 40)
        assert (review.state, review.verdict_id, review.answers, review.label) == ("done", 2, 2, "drum")
        verdict = session.get_one(VerdictRow, 2)
        assert (verdict.role, verdict.key, verdict.parts, verdict.sound_late_us) == ("answer", None, None, None)
        assert session.get_one(ClipRow, "a" * 40).sound_late_us == 0
        assert session.get_one(ScoreRow, ("w0", "sync", 1)).settings == ""
        assert session.get_one(SourceEntry, "s").retry_at is None


def test_it_is_told_looked_through_reviewed_and_decided_anew(old):
    with old.ledger(must_exist=True) as ledger:
        stages = funnel(ledger)
        assert all(stage.adds_up for stage in stages)
        story = explain(ledger, LINK)
        assert [clip["id"] for clip in story["clips"]]
        settings = ReviewSettings(audit_mix=0, golden_mix=0, double_share=0)
        enrol(ledger, settings)
        assert [item.clip_id for item in flagged(ledger)] == ["b" * 40]
        assert progress(ledger, settings).done == 1
        record(ledger, ["b" * 40], Verdict.REJECT, reviewer="bob", reason="meaning")
        decide_all(ledger, Policy(), Merging(max_clip_us=10_000_000, audit_share=0.1))
        assert all(stage.adds_up for stage in funnel(ledger))
        with ledger.session() as session:
            assert session.scalars(select(VerdictRow.id).order_by(VerdictRow.id)).all() == [1, 2, 3]


def test_what_people_accepted_then_is_published_now_beside_the_snapshots_of_then(old, media_workers):
    with old.ledger(must_exist=True) as ledger:
        done = publish_selection(ledger, Selection.CURATED, home=old, recipe=Recipe(), workers=media_workers)
        assert (done.snapshot.id, done.dropped) == ("curated/v1", ())
        with ledger.session() as session:
            assert session.scalars(select(JudgedRow.cut)).all() == ["ok"]
    assert [verify(one) for one in list_snapshots(old.snapshots)] == [[], []]
    assert open_snapshot(old.snapshots, "auto").manifest.get("card_sha256") is None
    assert "drum" in done.snapshot.file("README.md").read_text()


def test_what_was_known_then_can_be_taken_down_now(old):
    with old.ledger(must_exist=True) as ledger:
        take_down(ledger, LINK, home=old, reason="asked")
        with ledger.session() as session:
            assert session.get_one(Video, "v").fetch == "taken_down"


def test_it_is_backed_up_before_the_upgrade_as_it_is_and_brought_up_to_date_when_it_is_restored(
    old, ledger_url, tmp_path, monkeypatch
):
    before = now_held(ledger_url)
    manifest = back_up(old, tmp_path / "kept.tar", shards=True)
    assert manifest.facts.revision == FIRST
    assert now_held(ledger_url) == before, "a backup changes nothing"
    monkeypatch.delenv("CLAPBOARD_LEDGER")
    new = Home(tmp_path / "new")
    assert restore(tmp_path / "kept.tar", new).upgraded
    with new.ledger(must_exist=True) as ledger, ledger.session() as session:
        assert session.get_one(ReviewRow, "a" * 40).verdict_id == 2
        assert session.get_one(Video, "v").cuts_us == [1_000_000]
    assert verify(open_snapshot(new.snapshots, "auto")) == []


def test_an_upgrade_that_fails_leaves_the_ledger_as_it_was(ledger_url, film):
    write_as_then(ledger_url, film)
    engine = ledger_engine(ledger_url)
    with engine.begin() as connection:
        # Somebody's own table stands where the fourth revision wants one.
        connection.execute(text("CREATE TABLE review (mine integer)"))
    before = now_held(ledger_url)
    with pytest.raises(LedgerError):
        open_ledger(ledger_url)
    assert now_held(ledger_url) == before
    with engine.begin() as connection:
        assert revision_of(connection) == FIRST
        connection.execute(text("DROP TABLE review"))
    engine.dispose()
    with open_ledger(ledger_url) as ledger, ledger.session() as session:
        assert session.get_one(ReviewRow, "a" * 40).state == "done"


def test_each_key_of_recipes_that_is_gone_is_named_and_stands_in_the_notes(tmp_path):
    notes = (ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8")
    for key in (*(f"shots.{one}" for one in ("prominence", "sure_colour_change", "sure_motion", "alone")), LIKENESS):
        assert f"`{key}`" in notes
        *parts, last = key.split(".")
        tree = {last: 1}
        for part in reversed(parts):
            tree = {part: tree}
        (tmp_path / "old.yaml").write_text(json.dumps(tree))
        with pytest.raises(BadInput, match=re.escape(key)):
            load_recipe(tmp_path / "old.yaml")
