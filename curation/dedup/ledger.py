"""The ledger's side: keep fingerprints as videos are measured, and mark which clips are copies after every decision."""

import os
import tempfile
from array import array
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, select, update
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
PAGE = 1024
"""Clips that are read at a time [ours]."""

IN_MEMORY = 1024
"""Clips, and fingerprints of videos, that are kept in memory while pairs are compared [ours]."""

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
        found = _copies(session, _proposed(), settings)
        found |= _among_accepted(session, found, settings)
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


def _among_accepted(session: Session, found: Mapping[str, str], settings: DedupSettings) -> dict[str, str]:
    """Which accepted clips, of those that the policy no longer has or leaves out, are copies of accepted ones."""
    rows = accepted(*_COLUMNS).where(left_out().is_(None))
    unsettled = {row.id for row in session.execute(rows.execution_options(yield_per=PAGE)) if not _stands(row, found)}
    if not unsettled:
        return {}
    among = _copies(session, rows, settings, beaten=found)
    return {key: better for key, better in among.items() if key in unsettled}


def _copies(
    session: Session, rows: Select[Any], settings: DedupSettings, *, beaten: Container[str] = frozenset()
) -> dict[str, str]:
    with _Clips(session, rows, beaten=beaten) as clips:
        return copies(clips, settings)


def _stands(row: Row[Any], beaten: Container[str]) -> bool:
    """Whether the policy proposes a clip and no copy has beaten it; such rank above the rest."""
    return row.current and row.id not in beaten


class _Clips:
    """The clips of a query, and what benchmarks test on, as items to compare, of which few are in memory at a time."""

    def __init__(self, session: Session, rows: Select[Any], *, beaten: Container[str]) -> None:
        self._session, self._rows, self._beaten = session, rows, beaten
        # Where each is to be found again, a line each, and where its line begins.
        self._names, self._begins = tempfile.TemporaryFile(), array("q")  # noqa: SIM115
        self._whole = lru_cache(IN_MEMORY)(self._read_whole)
        self._item = lru_cache(IN_MEMORY)(self._read_item)

    def __enter__(self) -> "_Clips":
        return self

    def __exit__(self, *_: object) -> None:
        self._names.close()

    def __iter__(self) -> Iterator[Item]:
        rows = self._rows.order_by(ClipRow.video_id, ClipRow.id).execution_options(yield_per=PAGE)
        for row in self._session.execute(rows):
            if whole := self._whole(row.video_id):
                self._note(row.id)
                yield self._of_clip(row, whole)
        marks = select(FingerprintRow.video_id).where(FingerprintRow.role != SOURCE, FingerprintRow.version == VERSION)
        marks = marks.order_by(FingerprintRow.role).execution_options(yield_per=PAGE)
        for video_id in self._session.scalars(marks):
            for number, piece in enumerate(self._pieces(video_id)):
                self._note(f"{video_id} {number}")
                yield piece

    def __getitem__(self, number: int, /) -> Item:
        return self._item(number)

    def _note(self, name: str) -> None:
        self._begins.append(self._names.seek(0, os.SEEK_END))
        self._names.write(f"{name}\n".encode())

    def _read_item(self, number: int) -> Item:
        self._names.seek(self._begins[number])
        name, _, piece = self._names.readline().decode().rstrip("\n").partition(" ")
        if piece:
            return self._pieces(name)[int(piece)]
        row = self._session.execute(self._rows.where(ClipRow.id == name)).one()
        whole = self._whole(row.video_id)
        assert whole, "it had one when it was noted"
        return self._of_clip(row, whole)

    def _of_clip(self, row: Row[Any], whole: Fingerprint) -> Item:
        prints = whole.span(row.start_us, row.end_us)
        rank = (_stands(row, self._beaten), round(row.p_good, 3), row.bytes or 0)
        return Item(row.id, row.video_id, row.start_us, row.end_us, row.sha256 or row.video_id, prints, rank)

    def _pieces(self, video_id: str) -> list[Item]:
        """What a video of a benchmark is compared in."""
        role = self._session.scalar(
            select(FingerprintRow.role).where(FingerprintRow.video_id == video_id, FingerprintRow.version == VERSION)
        )
        whole = self._whole(video_id)
        assert role and whole, "it was read a moment ago"
        end_us = max(len(whole.motion) * 125_000, PIECE_US)
        return [
            Item(
                id=role,
                video_id=video_id,
                start_us=at,
                end_us=at + PIECE_US,
                sha256=video_id,
                prints=whole.span(at, at + PIECE_US),
                rank=(2.0, 0),
                protected=True,
            )
            for at in range(0, max(end_us - PIECE_US // 2, 1), PIECE_US // 2)
        ]

    def _read_whole(self, video_id: str) -> Fingerprint | None:
        """The fingerprint of a video; None where it has none of this version."""
        kept = select(FingerprintRow.picture, FingerprintRow.sound)
        row = self._session.execute(
            kept.where(FingerprintRow.video_id == video_id, FingerprintRow.version == VERSION)
        ).one_or_none()
        return Fingerprint.from_bytes(row.picture, row.sound) if row else None
