"""Insert rows or update those that are there, many at a time, on SQLite and on PostgreSQL alike."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Table
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
    target = table.__table__
    assert isinstance(target, Table)
    keys = [column.name for column in target.primary_key]
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(target)
    if update:
        changes = {name: statement.excluded[name] for name in update}
        statement = statement.on_conflict_do_update(index_elements=keys, set_=changes)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    for batch in batches(rows):
        session.execute(statement, batch)


def batches(rows: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """The rows, some thousand at a time."""
    waiting = iter(rows)
    while batch := list(islice(waiting, BATCH)):
        yield batch
