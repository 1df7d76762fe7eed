"""The ledger's side: keep fingerprints as videos are measured, and mark which clips are copies after every decision."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from curation.dedup.fingerprint import VERSION, Fingerprint, fingerprint
from curation.dedup.groups import Item, copies
from curation.dedup.match import DedupSettings
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, FingerprintRow, Video
from curation.ledger.upsert import upsert
from curation.media.failures import MediaFailure
from curation.media.timeline import Timeline
from curation.sources.base import video_id as id_of
from curation.verdicts.judged import accepted, left_out

SOURCE = "source"
PIECE_US = 3_000_000
"""Videos of a benchmark are compared in pieces of this length, half overlapping."""


def remember(session: Session, video_id: str, marks: Fingerprint, *, role: str = SOURCE) -> None:
    """Keep a video's fingerprint."""
    picture, sound = marks.to_bytes()
    row = {"video_id": video_id, "version": VERSION, "role": role, "picture": picture, "sound": sound}
    upsert(session, FingerprintRow, [row], update=("role", "picture", "sound"))


def add_benchmark(
    ledger: Ledger,
    name: str,
    files: Iterable[Path],
    *,
    analyse: Callable[[Path], Timeline],
    progress: Callable[[Path, MediaFailure | None], None] | None = None,
) -> int:
    """Keep fingerprints of what a benchmark tests on; clips that are copies of it are never published.

    Returns how many of its files could be read.
    """
    kept = 0
    for file in files:
        failure = None
        try:
            marks = fingerprint(analyse(file))
        except MediaFailure as error:
            failure = error
        else:
            with ledger.session() as session:
                remember(session, id_of(f"{name}:{file.name}"), marks, role=f"{name}:{file.name}")
            kept += 1
        if progress:
            progress(file, failure)
    return kept


def mark_duplicates(ledger: Ledger, settings: DedupSettings) -> int:
    """Say of each clip in the accept and review bands which better copy there is; returns how many have one.

    Clips that people accepted are compared with each other too, where the policy no longer proposes them or prefers a
    copy that nobody accepted. Depends on clips, fingerprints and verdicts alone, so doing it again changes nothing.
    """
    with ledger.session() as session:
        session.execute(update(ClipRow).where(ClipRow.duplicate_of.is_not(None)).values(duplicate_of=None))
        if not settings.enabled:
            return 0
        benchmarks = _benchmarks(session)
        found = copies([*_items(session, _proposed()), *benchmarks], settings)
        found |= _among_accepted(session, found, benchmarks, settings)
        changes = [{"id": clip, "duplicate_of": better} for clip, better in sorted(found.items())]
        if changes:
            session.execute(update(ClipRow), changes)
        return len(changes)


_COLUMNS = (
    ClipRow.id, ClipRow.video_id, ClipRow.start_us, ClipRow.end_us, ClipRow.p_good, ClipRow.current, Video.sha256,
    Video.bytes,
)  # fmt: skip


def _proposed() -> Select[Any]:
    return select(*_COLUMNS).join(Video, Video.id == ClipRow.video_id).where(ClipRow.current)


def _among_accepted(
    session: Session, found: Mapping[str, str], benchmarks: Sequence[Item], settings: DedupSettings
) -> dict[str, str]:
    """Which accepted clips, of those that the policy no longer has or leaves out, are copies of accepted ones."""
    items = list(_items(session, accepted(*_COLUMNS).where(left_out().is_(None)), beaten=found))
    unsettled = {item.id for item in items if not item.rank[0]}
    if not unsettled:
        return {}
    return {key: better for key, better in copies([*items, *benchmarks], settings).items() if key in unsettled}


def _items(session: Session, rows: Select[Any], *, beaten: Container[str] = frozenset()) -> Iterator[Item]:
    """The clips as items to compare; what the policy proposes and no copy has beaten ranks above the rest."""
    last, whole = "", None
    for row in session.execute(rows.order_by(ClipRow.video_id, ClipRow.id)):
        if row.video_id != last:
            last, whole = row.video_id, _fingerprint(session, row.video_id)
        if whole:
            prints = whole.span(row.start_us, row.end_us)
            rank = (row.current and row.id not in beaten, round(row.p_good, 3), row.bytes or 0)
            yield Item(row.id, row.video_id, row.start_us, row.end_us, row.sha256 or row.video_id, prints, rank)


def _fingerprint(session: Session, video_id: str) -> Fingerprint | None:
    row = session.get(FingerprintRow, (video_id, VERSION))
    return Fingerprint.from_bytes(row.picture, row.sound) if row else None


def _benchmarks(session: Session) -> list[Item]:
    rows = select(FingerprintRow).where(FingerprintRow.role != SOURCE, FingerprintRow.version == VERSION)
    return [item for row in session.scalars(rows.order_by(FingerprintRow.role)) for item in _pieces(row)]


def _pieces(row: FingerprintRow) -> Sequence[Item]:
    whole = Fingerprint.from_bytes(row.picture, row.sound)
    end_us = max(len(whole.motion) * 125_000, PIECE_US)
    return [
        Item(
            id=row.role,
            video_id=row.video_id,
            start_us=at,
            end_us=at + PIECE_US,
            sha256=row.video_id,
            prints=whole.span(at, at + PIECE_US),
            rank=(2.0, 0),
            protected=True,
        )
        for at in range(0, max(end_us - PIECE_US // 2, 1), PIECE_US // 2)
    ]
