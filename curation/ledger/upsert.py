"""Insert rows, or update those that are there, many at a time, on SQLite and on PostgreSQL alike."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import JSON, Insert, Select, Table, exists, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from curation.ledger.tables import Base

BATCH = 2_000
"""Rows in a statement's batch: large enough to be quick, small enough for any database's limits."""


def upsert(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]], *, update: Sequence[str]) -> None:
    """Insert `rows`, all with the same keys; where one is there already, only the columns in `update` change.

    With no columns to update, rows that are there stay as they are, so two writers may insert the same.
    """
    if not rows:
        return
    statement = _upserting(table, session.get_bind().dialect.name, tuple(update))
    for batch in batches(rows):
        session.execute(statement, batch)


@cache
def _upserting(table: type[Base], dialect: str, update: tuple[str, ...]) -> Insert:
    """Made once: each video needs several, and making them takes as long as running them."""
    target = table.__table__
    assert isinstance(target, Table)
    keys = [column.name for column in target.primary_key]
    statement = postgresql.insert(target) if dialect == "postgresql" else sqlite.insert(target)
    if not update:
        return statement.on_conflict_do_nothing(index_elements=keys)
    changes = {name: statement.excluded[name] for name in update}
    return statement.on_conflict_do_update(index_elements=keys, set_=changes)


def insert_missing(session: Session, table: type[Base], columns: Sequence[str], rows: Select[Any]) -> None:
    """Insert what a query gives, in the order of `columns`; rows that are there stay as they are."""
    target = table.__table__
    assert isinstance(target, Table)
    keys = list(target.primary_key)
    there = exists().where(*(key == rows.selected_columns[columns.index(key.name)] for key in keys))
    session.execute(insert(target).from_select(list(columns), rows.where(~there)))


def append(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that are known to be new, all with the same keys, by whatever way is quickest there."""
    target = table.__table__
    assert isinstance(target, Table)
    if rows and session.get_bind().dialect.name == "postgresql":
        _copy(session, target, rows)
        return
    for batch in batches(rows):
        session.execute(insert(target), batch)


def _copy(session: Session, target: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """PostgreSQL's COPY, within the session's transaction: several times as quick as INSERT."""
    names = list(rows[0])
    json_columns = {name for name in names if isinstance(target.c[name].type, JSON)}
    columns = ", ".join(f'"{name}"' for name in names)
    connection: Any = session.connection().connection
    with connection.cursor() as cursor, cursor.copy(f'COPY "{target.name}" ({columns}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row([json.dumps(row[name]) if name in json_columns else row[name] for name in names])


def batches(rows: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """The rows, some thousand at a time."""
    waiting = iter(rows)
    while batch := list(islice(waiting, BATCH)):
        yield batch
