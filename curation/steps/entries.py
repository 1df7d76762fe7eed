"""What a reading of sources makes of the ledger's `source` table: rows, faults, and rows that are no longer wanted.

A row is known by its video and span, a fault by its line. A setting that keeps out what came in before turns the row
itself into the fault, so that nothing of it is fetched, decided or published any more; its windows and scores stay for
the day the setting goes. The faults of a table that is read anew are those that it has now.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from curation.ledger.tables import ScoreRow, SourceEntry, TakedownRow, Video, WindowRow
from curation.ledger.upsert import BATCH, upsert
from curation.outcomes import Outcome
from curation.scores.base import Need
from curation.scores.trends import scores_of
from curation.sources.base import RowFault, SourceRow
from curation.sources.settings import SourceSettings


class Reading:
    """One reading on its way into the ledger, batch by batch."""

    def __init__(self, sources: SourceSettings | None = None) -> None:
        """`sources` says which licences are taken of videos that are here and whose lists state none."""
        self._sources = sources or SourceSettings()
        self._tables: set[str] = set()
        self._old_faults: set[str] = set()
        self._turned_away: set[str] = set()

    def write(self, session: Session, batch: Sequence[SourceRow | RowFault]) -> int:
        """Write rows and faults; returns how many the ledger did not know yet."""
        self._note_old_faults(session, {one.table for one in batch})
        rows = [one for one in batch if isinstance(one, SourceRow)]
        faults = self._turn_away(session, [one for one in batch if isinstance(one, RowFault)])
        gone = _taken_down(session, rows)
        entries = {entry["id"]: entry for entry in map(_fault_entry, faults)}
        self._old_faults -= entries.keys()
        entries |= {
            entry["id"]: entry
            for entry in (_entry(row, Outcome.TAKEN_DOWN if row.source_id in gone else Outcome.OK) for row in rows)
        }
        known = _words(session, entries)
        upsert(session, Video, [_video(row) for row in rows], update=())
        upsert(
            session, SourceEntry, list(entries.values()), update=("caption", "label", "outcome", "detail", "retry_at")
        )
        stated = [entry for key, entry in entries.items() if key in known and entry["licence"]]
        upsert(session, SourceEntry, stated, update=("licence",))
        _forget_scores(session, [key for key, words in known.items() if words != _words_of(entries[key])])
        _refuse_licences(session, [row for row in rows if not row.licence], self._sources)
        return len(entries.keys() - known)

    def finish(self, session: Session) -> None:
        """Forget the faults that the tables of this reading had before and no longer have."""
        ids = sorted(self._old_faults)
        for first in range(0, len(ids), BATCH):
            session.execute(delete(SourceEntry).where(SourceEntry.id.in_(ids[first : first + BATCH])))

    def _note_old_faults(self, session: Session, tables: set[str]) -> None:
        new = tables - self._tables
        self._tables |= new
        faults = select(SourceEntry.id).where(SourceEntry.table_name.in_(new), SourceEntry.video_id.is_(None))
        self._old_faults |= set(session.scalars(faults)) if new else set()

    def _turn_away(self, session: Session, faults: Sequence[RowFault]) -> list[RowFault]:
        """Turn rows that came in before into the faults that keep them out now; returns the faults of other lines."""
        unwanted = {_row_id(one.unwanted): one for one in reversed(faults) if one.unwanted is not None}
        ids = unwanted.keys() - self._turned_away
        there = set(session.scalars(select(SourceEntry.id).where(SourceEntry.id.in_(ids)))) if ids else set[str]()
        # A second line with the same span stays a fault of its own, so that each line is counted once.
        taken = {key: unwanted[key] for key in sorted(there)}
        self._turned_away |= taken.keys()
        changes = [
            {"id": key, "table_name": one.table, "row": one.row, "outcome": one.outcome, "detail": one.detail}
            for key, one in taken.items()
        ]
        if changes:
            session.execute(update(SourceEntry), changes)
        moved = set(map(id, taken.values()))
        return [one for one in faults if id(one) not in moved]


def entry_id(*parts: object) -> str:
    """A ledger id: the first 20 hex digits of the sha256 of the parts."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:20]


def _row_id(row: SourceRow) -> str:
    return entry_id(row.source_id, row.start_us, row.end_us)


def _words(session: Session, ids: Collection[str]) -> dict[str, tuple[str, str]]:
    """Caption and label of those rows that the ledger knows."""
    rows = select(SourceEntry.id, SourceEntry.caption, SourceEntry.label).where(SourceEntry.id.in_(ids))
    return {key: (caption, label) for key, caption, label in session.execute(rows)}


def _words_of(entry: Mapping[str, Any]) -> tuple[str, str]:
    return entry["caption"], entry["label"]


def _forget_scores(session: Session, ids: Sequence[str]) -> None:
    """Rows came with other words: scores that compare with the words are measured again."""
    windows = select(WindowRow.id).where(WindowRow.source_id.in_(ids))
    if ids:
        reading = ScoreRow.name.in_(sorted(scores_of(Need.TEXT)))
        session.execute(delete(ScoreRow).where(ScoreRow.window_id.in_(windows), reading))


def _taken_down(session: Session, rows: Sequence[SourceRow]) -> set[str]:
    """Ids of videos that were taken down, also where a link has another id by now than when it was."""
    ids, names = {row.source_id for row in rows}, {row.name: row.source_id for row in rows}
    asked = or_(TakedownRow.video_id.in_(ids), TakedownRow.link.in_(names))
    found = session.execute(select(TakedownRow.video_id, TakedownRow.link).where(asked)).tuples().all()
    return {video_id for video_id, _ in found} & ids | {names[link] for _, link in found if link in names}


def _refuse_licences(session: Session, rows: Iterable[SourceRow], sources: SourceSettings) -> None:
    """Turn away rows whose list states no licence and whose video, here already, came under one that is not taken.

    What is not here yet is looked at when it is fetched.
    """
    ids = {_row_id(row): row.source_id for row in rows if row.link} if sources.licences else {}
    if not ids:
        return
    licences = _licences(session, set(ids.values()))
    changes = [
        {"id": key, "outcome": Outcome.LICENCE_NOT_ALLOWED, "detail": _stated(licences[video])}
        for key, video in ids.items()
        if video in licences and not any(sources.allows(one or None) for one in licences[video])
    ]
    if changes:
        session.execute(update(SourceEntry), changes)


def _licences(session: Session, video_ids: Collection[str]) -> Mapping[str, set[str]]:
    """What lists and sites state of videos that were fetched, by video; "" stands for nothing."""
    rows = (
        select(SourceEntry.video_id, SourceEntry.licence)
        .join(Video, Video.id == SourceEntry.video_id)
        .where(Video.id.in_(video_ids), Video.fetch == Outcome.OK, SourceEntry.outcome == Outcome.OK)
    )
    found: dict[str, set[str]] = {}
    for video_id, licence in session.execute(rows):
        found.setdefault(video_id, set()).add(licence)
    return found


def _stated(licences: Collection[str]) -> str:
    named = ", ".join(sorted(filter(None, licences)))
    return f"its site states {named}" if named else "neither list nor site states one"


def _video(row: SourceRow) -> dict[str, Any]:
    return {
        "id": row.source_id,
        "link": row.name,
        "local": row.link is None,
        "fetch_detail": "",
        "analysis_detail": "",
        "cuts_us": [],
    }


def _entry(row: SourceRow, outcome: Outcome) -> dict[str, Any]:
    return {
        "id": _row_id(row),
        "table_name": row.table,
        "row": row.row,
        "video_id": row.source_id,
        "start_us": row.start_us,
        "end_us": row.end_us,
        "caption": row.caption,
        "label": row.label,
        "licence": row.licence,
        "outcome": outcome,
        "detail": row.note,
        "retry_at": None,
    }


def _fault_entry(fault: RowFault) -> dict[str, Any]:
    return {
        "id": entry_id("fault", fault.table, fault.row, fault.outcome),
        "table_name": fault.table,
        "row": fault.row,
        "video_id": None,
        "start_us": None,
        "end_us": None,
        "caption": "",
        "label": "",
        "licence": "",
        "outcome": fault.outcome,
        "detail": fault.detail,
        "retry_at": fault.retry_at,
    }
