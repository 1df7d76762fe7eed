"""The ledger: its migrations give just its tables, and it opens what is there."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from curation.ledger.open import open_ledger
from curation.ledger.tables import Base, Video
from shards.errors import BadInput


def test_the_migrations_give_just_the_tables(tmp_path):
    with open_ledger(f"sqlite:///{tmp_path / 'l.sqlite'}") as ledger, ledger.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_opening_again_keeps_what_is_there(tmp_path):
    url = f"sqlite:///{tmp_path / 'l.sqlite'}"
    with open_ledger(url) as ledger, ledger.session() as session:
        session.add(Video(id="v", link="http://example.org/v", local=False, cuts_us=[1, 2]))
    with open_ledger(url) as ledger, ledger.session() as session:
        assert session.get_one(Video, "v").cuts_us == [1, 2]


def test_an_error_in_a_session_changes_nothing(tmp_path):
    with open_ledger(f"sqlite:///{tmp_path / 'l.sqlite'}") as ledger:
        with pytest.raises(RuntimeError), ledger.session() as session:
            session.add(Video(id="v", link="l", local=False, cuts_us=[]))
            raise RuntimeError
        with ledger.session() as session:
            assert session.get(Video, "v") is None


def test_a_file_that_is_no_database_is_refused_with_a_remedy(tmp_path):
    (tmp_path / "l.sqlite").write_text("this is not a database, it is a sentence of some length " * 50)
    with pytest.raises(BadInput, match="cannot be opened"):
        open_ledger(f"sqlite:///{tmp_path / 'l.sqlite'}")
