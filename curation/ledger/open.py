"""Open a ledger: make the file, bring its schema up to date, hand out sessions."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from shards.errors import BadInput

MIGRATIONS = Path(__file__).with_name("migrations")


class Ledger:
    """A database of the journey's state; safe to share between threads, one session at a time each."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: committed at the end, rolled back on an error."""
        with Session(self.engine) as session, session.begin():
            yield session

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        """Give all connections back."""
        self.engine.dispose()


def open_ledger(url: str) -> Ledger:
    """The ledger at an SQLAlchemy URL, its schema migrated to the newest.

    Raises:
        BadInput: the database cannot be opened or is not a ledger.
    """
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
    try:
        _migrate(engine)
    except DatabaseError as error:
        raise BadInput(
            f"the ledger at {url} cannot be opened: {error.orig}",
            remedy="check the path, its rights and the disk; or name another --home",
        ) from error
    return Ledger(engine)


def _tune_sqlite(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _migrate(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        newest = ScriptDirectory.from_config(config).get_current_head()
        if MigrationContext.configure(connection).get_current_revision() == newest:
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
