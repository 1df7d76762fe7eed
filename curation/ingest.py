"""Source rows into the ledger, and videos onto the disk; each row and each link once."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from curation.fetch.download import fetch, take_local
from curation.fetch.failures import PASSING, FetchFailure
from curation.fetch.governor import Governor
from curation.fetch.settings import FetchSettings
from curation.home import Home
from curation.ledger.open import Ledger
from curation.ledger.tables import SourceEntry, Video
from curation.outcomes import Outcome
from curation.sources.base import RowFault, SourceRow
from curation.sources.read import Reading


def register(ledger: Ledger, reading: Reading) -> int:
    """Write rows and faults into the ledger; returns how many it did not know yet."""
    with ledger.session() as session:
        known = set(session.scalars(select(SourceEntry.id)))
        entries = [_entry(row) for row in reading.rows] + [_fault_entry(fault) for fault in reading.faults]
        for row in reading.rows:
            if session.get(Video, row.source_id) is None:
                session.add(Video(id=row.source_id, link=row.link or str(row.path), local=row.link is None, cuts_us=[]))
                session.flush()
        for entry in entries:
            _upsert(session, entry)
        return len({entry.id for entry in entries} - known)


def videos_to_fetch(ledger: Ledger, *, retry: bool = False) -> list[str]:
    """Ids of videos never tried, lost from the disk, or failed in a way that another try may mend."""
    with ledger.session() as session:
        videos = session.scalars(select(Video).order_by(Video.id)).all()
        return [video.id for video in videos if _wants_fetch(video, retry=retry)]


def fetch_video(
    ledger: Ledger,
    video_id: str,
    *,
    home: Home,
    settings: FetchSettings,
    governor: Governor | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Outcome:
    """Bring one video onto the disk and record how that went; never raises for a video's own fault."""
    with ledger.session() as session:
        video = session.get_one(Video, video_id)
        link, local = video.link, video.local
    try:
        if local:
            got = take_local(Path(link))
        else:
            home.videos.mkdir(parents=True, exist_ok=True)
            got = fetch(link, into=home.videos, name=video_id, settings=settings, governor=governor, progress=progress)
    except FetchFailure as failure:
        _record_failure(ledger, video_id, failure)
        return failure.outcome
    with ledger.session() as session:
        video = session.get_one(Video, video_id)
        changed = video.sha256 not in (None, got.sha256)
        video.fetch, video.fetch_detail, video.fetched_at = Outcome.OK, "", datetime.now(UTC)
        video.path, video.sha256, video.bytes = str(got.path), got.sha256, got.bytes
        video.uploader = got.metadata.uploader
        if changed:
            # Without its key the analysis counts as another's: the old bytes' windows and scores go.
            video.analysis = video.analysis_key = None
        _fill_licence(session, video_id, got.metadata.licence)
    return Outcome.OK


def entry_id(*parts: object) -> str:
    """A ledger id: the first 20 hex digits of the sha256 of the parts."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:20]


def _entry(row: SourceRow) -> SourceEntry:
    return SourceEntry(
        id=entry_id(row.source_id, row.start_us, row.end_us),
        table_name=row.table,
        row=row.row,
        video_id=row.source_id,
        start_us=row.start_us,
        end_us=row.end_us,
        caption=row.caption,
        label=row.label,
        licence=row.licence,
        outcome=Outcome.OK,
        detail="",
    )


def _fault_entry(fault: RowFault) -> SourceEntry:
    return SourceEntry(
        id=entry_id("fault", fault.table, fault.row, fault.outcome),
        table_name=fault.table,
        row=fault.row,
        caption="",
        label="",
        licence="",
        outcome=fault.outcome,
        detail=fault.detail,
    )


def _upsert(session: Session, entry: SourceEntry) -> None:
    there = session.get(SourceEntry, entry.id)
    if there is None:
        session.add(entry)
        session.flush()
        return
    there.caption, there.label = entry.caption, entry.label
    there.licence = entry.licence or there.licence


def _wants_fetch(video: Video, *, retry: bool) -> bool:
    if video.fetch is None:
        return True
    if video.fetch == Outcome.OK:
        return video.path is None or not Path(video.path).is_file()
    return retry or video.fetch in PASSING


def _record_failure(ledger: Ledger, video_id: str, failure: FetchFailure) -> None:
    with ledger.session() as session:
        video = session.get_one(Video, video_id)
        video.fetch, video.fetch_detail, video.fetched_at = failure.outcome, failure.detail, datetime.now(UTC)


def _fill_licence(session: Session, video_id: str, licence: str | None) -> None:
    """A row that names no licence takes the one that the site states."""
    if licence:
        entries: Sequence[SourceEntry] = session.scalars(
            select(SourceEntry).where(SourceEntry.video_id == video_id, SourceEntry.licence == "")
        ).all()
        for entry in entries:
            entry.licence = licence
