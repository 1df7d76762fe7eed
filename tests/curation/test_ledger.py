"""The ledger on SQLite and on PostgreSQL: its migrations give just its tables, and it opens what is there."""

import os
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from curation.ledger.open import open_ledger
from curation.ledger.tables import Base, Video
from curation.ledger.upsert import upsert
from shards.errors import BadInput


def video(name, **facts):
    return {"id": name, "link": name, "local": False, "fetch_detail": "", "analysis_detail": "", "cuts_us": []} | facts


def test_the_migrations_give_just_the_tables(any_ledger):
    with any_ledger.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_opening_again_keeps_what_is_there(ledger_url):
    with open_ledger(ledger_url) as ledger, ledger.session() as session:
        session.add(Video(id="v", link="http://example.org/v", local=False, cuts_us=[1, 2]))
    with open_ledger(ledger_url) as ledger, ledger.session() as session:
        assert session.get_one(Video, "v").cuts_us == [1, 2]


def test_an_error_in_a_session_changes_nothing(any_ledger):
    with pytest.raises(RuntimeError), any_ledger.session() as session:
        session.add(Video(id="v", link="l", local=False, cuts_us=[]))
        session.flush()
        raise RuntimeError
    with any_ledger.session() as session:
        assert session.get(Video, "v") is None


def test_many_open_a_new_ledger_at_once(ledger_url):
    """Workers of one deployment start together, and each would migrate."""
    faults = []

    def open_it():
        try:
            with open_ledger(ledger_url) as ledger, ledger.session() as session:
                assert session.get(Video, "v") is None
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_an_upsert_changes_the_named_columns_and_no_others(any_ledger):
    with any_ledger.session() as session:
        upsert(session, Video, [video("v", title="old", uploader="ann")], update=())
        both = [video("v", title="new", uploader="bob"), video("w", title=None, uploader=None)]
        upsert(session, Video, both, update=("title",))
        upsert(session, Video, [video("v", title="never")], update=())
    with any_ledger.session() as session:
        found = session.get_one(Video, "v")
        assert (found.title, found.uploader, session.get_one(Video, "w").title) == ("new", "ann", None)


def test_a_file_that_is_no_database_is_refused_with_a_remedy(tmp_path):
    (tmp_path / "l.sqlite").write_text("this is not a database, it is a sentence of some length " * 50)
    with pytest.raises(BadInput, match="cannot be opened"):
        open_ledger(f"sqlite:///{tmp_path / 'l.sqlite'}")


def test_a_password_is_never_shown():
    with pytest.raises(BadInput) as caught:
        open_ledger("postgresql://ann:secret@127.0.0.1:1/none")
    assert "secret" not in caught.value.message
    assert "ann" in caught.value.message


@pytest.mark.parametrize("url", ["nonsense", "oracle+nothing://x/y"])
def test_a_url_without_a_driver_is_a_sentence(url):
    with pytest.raises(BadInput):
        open_ledger(url)


def locks_on(file):
    """This process's locks on a file, as the system lists them, but for their place among those of all processes."""
    number = f":{file.stat().st_ino}"
    lines = (line.partition(": ")[2] for line in Path("/proc/locks").read_text().splitlines())
    return sorted(line for line in lines if number in line and f" {os.getpid()} " in line)


@pytest.mark.skipif(not Path("/proc/locks").is_file(), reason="the system does not list locks")
def test_opening_a_ledger_again_drops_no_lock_on_it(tmp_path):
    file = tmp_path / "ledger.sqlite"
    with open_ledger(f"sqlite:///{file}") as ledger, ledger.session() as session:
        session.execute(text("SELECT count(*) FROM video"))
        held = locks_on(file)
        assert held
        with open_ledger(f"sqlite:///{file}"):
            pass
        assert locks_on(file) == held
