"""Open a ledger: make the file, bring its schema up to date, hand out sessions."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError
from sqlalchemy.orm import Session

from shards.errors import BadInput

PRAGMAS = (
    "busy_timeout=30000",
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "foreign_keys=ON",
    # 128 MiB: ids are hashes, so a million rows are written all over the tree.
    "cache_size=-131072",
)
MIGRATION_LOCK = 0x636C6170
"""Held by the process that migrates a PostgreSQL ledger; any number, the same in all processes."""

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
        BadInput: the URL is none, its driver is not installed, or the database cannot be opened or is not a ledger.
    """
    engine = _engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
    try:
        _migrate(engine)
    except DatabaseError as error:
        raise BadInput(
            f"the ledger at {engine.url.render_as_string(hide_password=True)} cannot be opened: {error.orig}",
            remedy="check the path, its rights and the disk; or name another --home",
        ) from error
    return Ledger(engine)


def _engine(url: str) -> Engine:
    try:
        place = make_url(url)
    except ArgumentError as error:
        raise BadInput(
            "the ledger's URL cannot be parsed", remedy="sqlite:///FILE or postgresql://HOST/NAME"
        ) from error
    if place.drivername in ("postgres", "postgresql"):
        place = place.set(drivername="postgresql+psycopg")
    try:
        # A server may have gone and come back between two runs of a worker.
        return create_engine(place, pool_pre_ping=place.get_backend_name() != "sqlite")
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise BadInput(
            f"there is no driver here for {place.drivername} ledgers", remedy="pip install 'clapboard[postgres]'"
        ) from error


def _tune_sqlite(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _migrate(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    newest = ScriptDirectory.from_config(config).get_current_head()
    with engine.connect() as connection:
        # Without a lock: a ledger that is up to date can be opened while another process writes for a minute.
        if MigrationContext.configure(connection).get_current_revision() == newest:
            return
    with engine.begin() as connection:
        # Workers may start at once: one migrates, the others wait and find it done.
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        if MigrationContext.configure(connection).get_current_revision() != newest:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
