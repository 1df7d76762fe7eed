"""Source rows into the ledger, and videos onto the disk; each row and each link once."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from curation.fetch.download import fetch, take_local
from curation.fetch.failures import PASSING, FetchFailure
from curation.fetch.governor import Governor
from curation.fetch.objects import fetch_object, is_object, take_member
from curation.fetch.settings import FetchSettings
from curation.fetch.site import Fetched
from curation.home import Home
from curation.ledger.open import Ledger
from curation.ledger.tables import SourceEntry, TakedownRow, Video
from curation.ledger.upsert import upsert
from curation.outcomes import Outcome
from curation.sources.base import MEMBER, RowFault, SourceRow
from curation.sources.settings import SourceSettings

ROWS_AT_ONCE = 5_000
"""Rows in a transaction of `register`."""


def register(ledger: Ledger, rows: Iterable[SourceRow | RowFault]) -> int:
    """Write rows and faults into the ledger as they are read; returns how many it did not know yet.

    A row that is there keeps its id and what was found out since; its words are taken anew. Rows of videos that were
    taken down become faults.
    """
    waiting, new = iter(rows), 0
    while batch := list(islice(waiting, ROWS_AT_ONCE)):
        with ledger.session() as session:
            new += _register(session, batch)
    return new


def videos_to_fetch(ledger: Ledger, *, retry: bool = False) -> list[str]:
    """Ids of videos never tried, lost from the disk, or failed in a way that another try may mend.

    What has to wait until a set time is left alone until then. With `retry`, all that failed is tried again; what was
    taken down never is.
    """
    due = Video.retry_at.is_(None) | (Video.retry_at <= datetime.now(UTC))
    passed = Video.fetch.in_(PASSING) & due
    failed = Video.fetch.not_in((Outcome.OK, Outcome.TAKEN_DOWN))
    wanted = select(Video.id).where(Video.fetch.is_(None) | (failed if retry else passed))
    there = select(Video.id, Video.path).where(Video.fetch == Outcome.OK)
    with ledger.session() as session:
        lost = [video_id for video_id, path in session.execute(there) if path is None or not Path(path).is_file()]
        return sorted({*session.scalars(wanted), *lost})


def fetch_video(
    ledger: Ledger,
    video_id: str,
    *,
    home: Home,
    settings: FetchSettings,
    sources: SourceSettings | None = None,
    governor: Governor | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Outcome:
    """Bring one video onto the disk and record how that went; never raises for a video's own fault.

    `sources` says which hosts are asked, and which licences of a site are taken where the lists state none.
    """
    sources = sources or SourceSettings()
    with ledger.session() as session:
        video = session.get_one(Video, video_id)
        if video.fetch == Outcome.TAKEN_DOWN:
            return Outcome.TAKEN_DOWN
        link, local = video.link, video.local
        stated = set(session.scalars(select(SourceEntry.licence).where(SourceEntry.video_id == video_id)))
    # Where a list states a licence its word counts, whatever the site says.
    licensed = None if stated - {""} else sources.allows
    home.videos.mkdir(parents=True, exist_ok=True)
    try:
        if local:
            got = _take(link, home, video_id, settings)
        elif is_object(link):
            got = fetch_object(link, into=home.videos, name=video_id, settings=settings)
        else:
            got = fetch(
                link,
                into=home.videos,
                name=video_id,
                settings=settings,
                governor=governor,
                progress=progress,
                licensed=licensed,
                hosts=sources.hosts,
            )
    except FetchFailure as failure:
        _record_failure(ledger, video_id, failure)
        return failure.outcome
    with ledger.session() as session:
        video = session.get_one(Video, video_id)
        changed = video.sha256 not in (None, got.sha256)
        video.fetch, video.fetch_detail, video.fetched_at = Outcome.OK, "", datetime.now(UTC)
        video.path, video.sha256, video.bytes = str(got.path), got.sha256, got.bytes
        video.uploader, video.title = got.metadata.uploader, got.metadata.title
        video.extractor, video.site_licence = got.metadata.by, got.metadata.licence
        video.retry_at = None
        if changed:
            # Without its key the analysis counts as another's: the old bytes' windows and scores go.
            video.analysis = video.analysis_key = None
        _fill_licence(session, video_id, got.metadata.licence)
    return Outcome.OK


def _take(link: str, home: Home, video_id: str, settings: FetchSettings) -> Fetched:
    """A file of this machine where it lies, or a member of a tar as a file of its own."""
    tar, found, member = link.partition(f".tar{MEMBER}")
    if found:
        return take_member(Path(f"{tar}.tar"), member, into=home.videos, name=video_id, settings=settings)
    return take_local(Path(link))


def entry_id(*parts: object) -> str:
    """A ledger id: the first 20 hex digits of the sha256 of the parts."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:20]


def _register(session: Session, batch: Sequence[SourceRow | RowFault]) -> int:
    rows = [one for one in batch if isinstance(one, SourceRow)]
    gone = _taken_down(session, [row.source_id for row in rows])
    videos = {row.source_id: _video(row) for row in rows}
    entries = {
        entry["id"]: entry
        for entry in (
            _fault_entry(one)
            if isinstance(one, RowFault)
            else _entry(one, Outcome.TAKEN_DOWN if one.source_id in gone else Outcome.OK)
            for one in batch
        )
    }
    known = set(session.scalars(select(SourceEntry.id).where(SourceEntry.id.in_(entries))))
    upsert(session, Video, list(videos.values()), update=())
    upsert(session, SourceEntry, list(entries.values()), update=("caption", "label", "outcome"))
    stated = [entry for key, entry in entries.items() if key in known and entry["licence"]]
    upsert(session, SourceEntry, stated, update=("licence",))
    return len(entries.keys() - known)


def _taken_down(session: Session, video_ids: Sequence[str]) -> set[str]:
    return set(session.scalars(select(TakedownRow.video_id).where(TakedownRow.video_id.in_(video_ids))))


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
        "id": entry_id(row.source_id, row.start_us, row.end_us),
        "table_name": row.table,
        "row": row.row,
        "video_id": row.source_id,
        "start_us": row.start_us,
        "end_us": row.end_us,
        "caption": row.caption,
        "label": row.label,
        "licence": row.licence,
        "outcome": outcome,
        "detail": "",
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


def _record_failure(ledger: Ledger, video_id: str, failure: FetchFailure) -> None:
    with ledger.session() as session:
        video = session.get_one(Video, video_id)
        video.fetch, video.fetch_detail, video.retry_at = failure.outcome, failure.detail, failure.retry_at
        if failure.asked:
            # Where nobody was asked, nothing counts against the host's hour.
            video.fetched_at = datetime.now(UTC)


def _fill_licence(session: Session, video_id: str, licence: str | None) -> None:
    """A row that names no licence takes the one that the site states."""
    if licence:
        silent = update(SourceEntry).where(SourceEntry.video_id == video_id, SourceEntry.licence == "")
        session.execute(silent.values(licence=licence))
