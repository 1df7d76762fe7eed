"""Open a ledger: make the file, bring its schema up to date, hand out sessions."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import Session

from curation.ledger.faults import LedgerFault, fault_of, ledger_error
from curation.ledger.revisions import bring_up_to_date, known, newest, revision_of
from shards.errors import BadInput

PRAGMAS = (
    "busy_timeout=30000",
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "foreign_keys=ON",
    # 128 MiB: ids are hashes, so a million rows are written all over the tree.
    "cache_size=-131072",
)

OURS_ALONE = 0o600
"""Rights of the file: it holds accounts and sessions of the review page."""


class Ledger:
    """A database of the journey's state; safe to share between threads, one session at a time each."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: committed at the end, rolled back on an error.

        Raises:
            LedgerError: the database is damaged, locked, full or may not be written.
        """
        with _faults_told(self.engine), Session(self.engine) as session, session.begin():
            yield session

    def check(self) -> None:
        """Look at every page of the file, which takes as long as reading it.

        Raises:
            LedgerError: it is damaged.
        """
        with _faults_told(self.engine):
            if found := _damage(self.engine):
                raise ledger_error(LedgerFault.DAMAGED, self.engine.url, found)

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        """Give all connections back."""
        self.engine.dispose()


def open_ledger(url: str) -> Ledger:
    """The ledger at an SQLAlchemy URL, its schema migrated to the newest.

    Raises:
        BadInput: the URL is none, or its driver is not installed.
        LedgerError: the database cannot be opened, is no ledger, is damaged, or is of a newer version.
    """
    engine = ledger_engine(url)
    with opening(engine):
        _make_file(engine.url)
        _migrate(engine)
    return Ledger(engine)


def ledger_engine(url: str) -> Engine:
    """The engine of a ledger at an SQLAlchemy URL; nothing is opened, made or migrated yet.

    Raises:
        BadInput: the URL is none, or its driver is not installed.
    """
    engine = _engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
    return engine


@contextmanager
def opening(engine: Engine) -> Iterator[None]:
    """What a database says while it is opened, as a sentence.

    Raises:
        LedgerError: it cannot be opened, or cannot go on.
    """
    try:
        with _faults_told(engine):
            yield
    except SQLAlchemyError as error:
        words = getattr(error, "orig", None) or error
        raise ledger_error(LedgerFault.NOT_OPENED, engine.url, words) from _cause(error, engine.url)


@contextmanager
def _faults_told(engine: Engine) -> Iterator[None]:
    """What the database says as a sentence, also where a damaged cell came out as nonsense and was no fault to it.

    Raises:
        LedgerError: it cannot go on.
    """
    try:
        yield
    except IntegrityError:
        raise
    except (SQLAlchemyError, ValueError, TypeError) as error:
        if fault := fault_of(error):
            raise ledger_error(fault, engine.url, getattr(error, "orig", error)) from _cause(error, engine.url)
        if found := _damage(engine):
            raise ledger_error(LedgerFault.DAMAGED, engine.url, found) from error
        raise


def _cause(error: Exception, url: URL) -> Exception | None:
    """What a log may tell of an error: a driver may repeat what stood in the URL's query."""
    return None if url.query else error


def _damage(engine: Engine) -> str:
    """What is wrong with an SQLite file's pages, "" for nothing; a server looks after its own."""
    if engine.dialect.name != "sqlite":
        return ""
    try:
        with engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    except SQLAlchemyError as error:
        return str(getattr(error, "orig", error)) if fault_of(error) is LedgerFault.DAMAGED else ""
    return "" if found == "ok" else str(found)


def _engine(url: str) -> Engine:
    try:
        place = make_url(url)
    except (ArgumentError, ValueError):
        # Neither the URL nor the words about it: both may hold the password.
        raise BadInput(
            "the ledger's URL cannot be parsed",
            remedy="CLAPBOARD_LEDGER is sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME",
        ) from None
    if place.drivername in ("postgres", "postgresql"):
        place = place.set(drivername="postgresql+psycopg")
    try:
        # A server may have gone and come back between two runs of a worker.
        return create_engine(place, pool_pre_ping=place.get_backend_name() != "sqlite")
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise BadInput(
            f"there is no driver here for {place.drivername} ledgers", remedy="pip install 'clapboard[postgres]'"
        ) from error


def _make_file(url: URL) -> None:
    """Make an SQLite file that only we can read, if there is none; what SQLite lays beside it has the same rights.

    A file that is there is not opened: closing it would drop every lock that this process has on it, and others would
    take the journal away under our connections (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    if url.get_backend_name() == "sqlite" and url.database and not url.query and url.database != ":memory:":
        try:
            os.close(os.open(url.database, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OURS_ALONE))
        except OSError:
            return  # it is there, or SQLite says what is wrong, and to whom


def _tune_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _migrate(engine: Engine) -> None:
    with engine.connect() as connection:
        # Without a lock: a ledger that is up to date can be opened while another process writes for a minute.
        found = revision_of(connection)
    if found == newest():
        return
    if found is not None and found not in known():
        raise ledger_error(LedgerFault.NEWER, engine.url)
    bring_up_to_date(engine)
