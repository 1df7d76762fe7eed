"""Verdict rows as they leave one ledger and enter another: whole, in their order, each once.

A row is known by its key wherever it goes. What is taken in keeps who said it, when, and what it was for, and an answer
that was taken back comes with the row that did it, so the other ledger comes to the same.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, VerdictRow
from curation.review.answers import check, check_parts
from curation.review.standings import add_verdict, review_row
from curation.settings.review import ReviewSettings
from curation.verdicts.answers import Answer, Edits, RejectReason, Role, Verdict
from shards.errors import BadInput


class Record(BaseModel):
    """A row. `id` and `undoes` count within the ledger that it comes from.

    Without a `role` it is what it turns out to be, and without `at` it was said just now.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: int
    clip_id: str
    reviewer: str
    verdict: Verdict
    reason: RejectReason | None = None
    role: Role | None = None
    undoes: int | None = None
    key: str | None = None
    label: str | None = None
    caption: str | None = None
    parts: tuple[tuple[int, int], ...] | None = None
    sound_late_us: int | None = None
    seconds: float | None = None
    page: str = ""
    at: datetime | None = None

    @property
    def known_by(self) -> str:
        """Its key; a row that has none gets one that follows from it."""
        return self.key or _key_of(self.id, self.clip_id, self.reviewer, self.verdict)

    def answer(self) -> Answer:
        """What was said."""
        edits = Edits(self.label, self.caption, self.parts, self.sound_late_us)
        return Answer(
            self.clip_id, self.verdict, self.reviewer, self.reason, self.known_by, edits, self.seconds, self.page
        ).in_print()


def sentence(error: Exception) -> str:
    """What is wrong, in one line; of many things that are wrong with a row, the first."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))} is {first['input']!r}: {first['msg']}"[:300]
    return (str(error).splitlines() or [type(error).__name__])[0]


COLUMNS = tuple(Record.model_fields)


def record_of(row: VerdictRow) -> dict[str, Any]:
    """A row as plain values."""
    return {name: getattr(row, name) for name in COLUMNS} | {
        "key": row.key or _key_of(row.id, row.clip_id, row.reviewer, row.verdict),
        "reason": row.reason or None,
        "at": _in_utc(row.at).isoformat(),
    }


def take_in(ledger: Ledger, records: Sequence[Record], settings: ReviewSettings) -> tuple[int, int]:
    """Add the rows that are not here yet, all or none; returns how many were new, and how many were here already.

    Raises:
        BadInput: one is on a clip that the ledger does not hold, takes back what is not there, or contradicts itself.
    """
    keys = {one.id: one.known_by for one in records}
    fresh = 0
    with ledger.session() as session:
        ids = _known(session)
        for one in records:
            if one.known_by not in ids:
                undone = None if one.undoes is None else ids.get(keys.get(one.undoes, ""))
                ids[one.known_by] = _add(session, one, settings, undone=undone)
                fresh += 1
    return fresh, len(records) - fresh


def _known(session: Session) -> dict[str, int]:
    rows = select(VerdictRow.key, VerdictRow.id, VerdictRow.clip_id, VerdictRow.reviewer, VerdictRow.verdict)
    return {
        key or _key_of(number, clip_id, reviewer, verdict): number
        for key, number, clip_id, reviewer, verdict in session.execute(rows).tuples()
    }


def _add(session: Session, one: Record, settings: ReviewSettings, *, undone: int | None) -> int:
    clip = session.get(ClipRow, one.clip_id)
    if clip is None:
        raise BadInput(f"there is no clip {one.clip_id} here", remedy="import into the home that the clips came from")
    given = one.answer()
    if one.verdict is Verdict.UNDO:
        _check_undo(session, one, undone)
    else:
        check(given)
        check_parts(given, clip)
    at = None if one.at is None else _in_utc(one.at)
    return add_verdict(session, review_row(session, clip), given, settings, role=one.role, at=at, undoes=undone).id


def _check_undo(session: Session, one: Record, undone: int | None) -> None:
    row = None if undone is None else session.get(VerdictRow, undone)
    if row is None or (row.clip_id, row.reviewer) != (one.clip_id, one.reviewer):
        raise BadInput(
            f"row {one.id} takes back row {one.undoes}, which is not there", remedy="give the table as it was exported"
        )


def _key_of(number: int, clip_id: str, reviewer: str, verdict: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{number} {clip_id} {reviewer} {verdict}"))


def _in_utc(at: datetime) -> datetime:
    """SQLite keeps times without their zone; they are UTC."""
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
