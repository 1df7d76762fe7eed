"""Copy a whole ledger: of either kind into an SQLite file, as of one moment, and from there into either kind.

SQLite writes the file itself (`VACUUM INTO`, inside one read transaction), so what was deleted is not in it. PostgreSQL
is read in one REPEATABLE READ transaction, row by row. Nobody who writes meanwhile waits.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Insert,
    MetaData,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    func,
    insert,
    select,
    type_coerce,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DataError

from curation.ledger.faults import LedgerFault, ledger_error
from curation.ledger.open import OURS_ALONE, ledger_engine, opening
from curation.ledger.revisions import HEAD, is_empty, known, make_schema, revision_of
from shards.errors import BadInput

ROWS_AT_ONCE = 2_000
_OWN = "alembic_version"


def save_to_file(url: str, file: Path) -> str:
    """Write the ledger at an SQLAlchemy URL, at the revision that it has, into a new SQLite file; returns the revision.

    Raises:
        BadInput: the database holds no ledger.
        LedgerError: it cannot be read.
    """
    engine = ledger_engine(url)
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OURS_ALONE))
    try:
        with opening(engine):
            if engine.dialect.name == "sqlite":
                with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    _revision(connection)
                    connection.exec_driver_sql("VACUUM INTO ?", (str(file),))
                return revision_in(file)
            level = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            with engine.connect().execution_options(**level) as connection:
                if (revision := _revision(connection)) not in known():
                    raise ledger_error(LedgerFault.NEWER, engine.url)
                with _filling(file) as there:
                    make_schema(there, revision)
                    _copy_rows(connection, there)
                return revision
    finally:
        engine.dispose()


def revision_in(file: Path) -> str:
    """The revision of the ledger in an SQLite file.

    Raises:
        BadInput: it holds no ledger.
        LedgerError: it cannot be read.
    """
    engine = ledger_engine(f"sqlite:///{file}")
    try:
        with opening(engine), engine.connect() as connection:
            return _revision(connection)
    finally:
        engine.dispose()


def load_from_file(file: Path, url: str, *, before_commit: Callable[[], None]) -> None:
    """Copy an up-to-date ledger from an SQLite file into an empty database of a server, all of it or nothing.

    Args:
        file: holds a ledger of the newest revision.
        url: the SQLAlchemy URL of the database.
        before_commit: what has to succeed too, or nothing is kept.

    Raises:
        BadInput: the database is not empty, or a row does not fit into it.
        LedgerError: it cannot be written.
    """
    engine, here = ledger_engine(url), ledger_engine(f"sqlite:///{file}")
    try:
        with opening(engine), here.connect() as source, engine.begin() as target:
            if not is_empty(target):
                raise BadInput(
                    "the ledger's database is not empty", remedy="name an empty one by CLAPBOARD_LEDGER (createdb NAME)"
                )
            make_schema(target, HEAD)
            _copy_rows(source, target)
            _count_on(target)
            before_commit()
    finally:
        engine.dispose()
        here.dispose()


def _revision(connection: Connection) -> str:
    if (found := revision_of(connection)) is None:
        raise BadInput(
            "the database holds no ledger yet", remedy="`clapboard curate SOURCES` makes one; or check CLAPBOARD_LEDGER"
        )
    return found


@contextmanager
def _filling(file: Path) -> Iterator[Connection]:
    """A transaction on an SQLite file."""
    engine = ledger_engine(f"sqlite:///{file}")
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
    finally:
        engine.dispose()


def _copy_rows(source: Connection, target: Connection) -> None:
    """Every row of every table; the tables are there on both sides, with the same columns.

    Raises:
        BadInput: a row does not fit.
    """
    tables = _tables(source)
    for name, table in _tables(target).items():
        columns = list(table.columns.keys())
        rows = source.execute(_reading(tables[name], columns), execution_options={"yield_per": ROWS_AT_ONCE})
        for part in rows.partitions():
            try:
                target.execute(_writing(table, columns), [_fitting(row, columns, target) for row in part])
            except DataError as error:
                # Not the driver's words: they quote the row.
                raise BadInput(
                    f"a row of the table {name} does not fit into the other kind of database",
                    remedy="copy a ledger between databases of one kind by their own tools (pg_dump, .backup)",
                ) from error


def _tables(connection: Connection) -> dict[str, Table]:
    """The tables of a database, those that others point at first."""
    found = MetaData()
    found.reflect(connection)
    return {table.name: table for table in found.sorted_tables if table.name != _OWN}


def _reading(table: Table, columns: Sequence[str]) -> Select[Any]:
    return select(*(_as_text(table.columns[name]).label(name) for name in columns))


def _writing(table: Table, columns: Sequence[str]) -> Insert:
    return insert(table).values({name: _from_text(table.columns[name]) for name in columns})


def _as_text(column: Column[Any]) -> ColumnElement[Any]:
    """JSON letter by letter, so that a null in it and no value at all stay two things."""
    if not isinstance(column.type, JSON):
        return column
    return type_coerce(column, Text) if isinstance(column.type, sqlite.JSON) else cast(column, Text)


def _from_text(column: Column[Any]) -> ColumnElement[Any]:
    if not isinstance(column.type, JSON):
        return bindparam(_bound(column.name), type_=column.type)
    text = bindparam(_bound(column.name), type_=Text())
    return text if isinstance(column.type, sqlite.JSON) else cast(text, column.type)


def _bound(name: str) -> str:
    """The name that a column's own cannot be confused with."""
    return f"value_of_{name}"


def _fitting(row: Any, columns: Sequence[str], target: Connection) -> dict[str, Any]:
    """A row's values as the other kind of database takes them: SQLite knows no time zones, and ours are all UTC."""
    aware = target.dialect.name != "sqlite"
    return {_bound(name): _moment(value, aware=aware) for name, value in zip(columns, row, strict=True)}


def _moment(value: Any, *, aware: bool) -> Any:
    if not isinstance(value, datetime):
        return value
    utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return utc if aware else utc.replace(tzinfo=None)


def _count_on(connection: Connection) -> None:
    """Let numbers that the server gives go on behind the copied ones."""
    for name, table in _tables(connection).items():
        for column in table.primary_key.columns:
            sequence = connection.scalar(select(func.pg_get_serial_sequence(f'"{name}"', column.name)))
            if sequence and (last := connection.scalar(select(func.max(column)))) is not None:
                connection.execute(select(func.setval(sequence, last)))
