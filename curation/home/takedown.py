"""Take something down: on somebody's demand a video leaves this machine and every snapshot, and never comes back.

The ledger keeps what was demanded and which snapshots were touched; pictures, sound, scores and fingerprints go.

Nobody has to wait for a run to end: a take-down takes no lock of the home. Whoever writes what was made of a video does
so in `unless_taken_down`, and deletes what it put on the disk where that refuses; the take-down deletes files after its
own rows are in, so that of the two one always comes last.

A demand is written into the log of the snapshots first. Whoever dies before it is carried out leaves it open: the same
demand, another take-down or the next publication finishes it, and one demand is one row however often it was tried.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import bindparam, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from curation.home.folder import Home
from curation.home.names import videos_published_as
from curation.home.shared import shared_files
from curation.ledger.open import Ledger
from curation.ledger.tables import (
    ClipRow,
    DecisionRow,
    FingerprintRow,
    ScoreRow,
    SourceEntry,
    TakedownRow,
    Video,
    WindowRow,
)
from curation.outcomes import Outcome
from curation.sources.base import ids_of
from shards.demands import Demand, TakenDown, demanded, every_demand, finish, open_demands, results
from shards.errors import BadInput
from shards.shareable import refuse_held
from shards.snapshot import Snapshot
from shards.takedown import withdraw
from shards.words import printable

_WORD_END = re.compile("[.-]")
"""What follows the clip's id in the name of a cut."""

ASKED_AT_ONCE = 500
"""Videos in one question to the ledger. [ours]"""


@dataclass(frozen=True, slots=True)
class Removed:
    """What a take-down removed from a home: of which videos, how many files, and from which snapshots."""

    video_ids: tuple[str, ...]
    files: int
    snapshots: tuple[TakenDown, ...]


def take_down(ledger: Ledger, item: str, *, home: Home, reason: str) -> Removed:
    """Remove a video from a home and from every snapshot, note the demand, and never fetch it again.

    May be called while a run works in the home, and again after it was killed.

    Args:
        ledger: where the video is known and the demand is noted.
        item: a link, a path, a video id or a clip id.
        home: whose files and snapshots are changed.
        reason: who asked, and why.

    Raises:
        BadInput: the ledger knows no such thing.
        SnapshotError: a version that may hold it is damaged; all else is done, and the demand stays open.
    """
    video_ids = videos_of(ledger, item)
    demand = demanded(home.snapshots, video_ids, reason=printable(reason), at=datetime.now(UTC))
    removed = _carry_out(ledger, demand, home=home)
    finish_open(ledger, home=home)
    return removed


def finish_open(ledger: Ledger, *, home: Home) -> None:
    """Carry out what was demanded of this ledger's videos by processes that died before it was done.

    Raises:
        SnapshotError: a version that may hold some of it is damaged.
    """
    for demand in open_demands(home.snapshots):
        if demand.in_hand:
            continue
        with ledger.session() as session:
            known = set(session.scalars(select(Video.id).where(Video.id.in_(demand.items))))
        # Another ledger's videos may be published at the same place; only that one can forget them.
        if known >= {*demand.items}:
            _carry_out(ledger, demand, home=home)


def forget_again(ledger: Ledger, *, home: Home) -> tuple[str, ...]:
    """Take down in a ledger that was restored what the log says was demanded after it had been read.

    Returns the ids of the videos. Snapshots are left alone: the log is as old as they are.
    """
    forgotten: list[str] = []
    for demand in every_demand(home.snapshots):
        with ledger.session() as session:
            known = session.scalars(select(Video.id).where(Video.id.in_(demand.items)).order_by(Video.id)).all()
            late = [video_id for video_id in known if not is_taken_down(session, video_id)]
        for video_id in late:
            _forget(ledger, video_id, home=home, reason=demand.reason)
        if late:
            done = [one for part in results(home.snapshots, demand) for one in part.withdrawn]
            _note_snapshots(ledger, demand, done)
        forgotten += late
    return tuple(forgotten)


def withdraw_late(ledger: Ledger, video_ids: Iterable[str], *, home: Home) -> set[str]:
    """Take out of the snapshots again what was taken down while one was written; returns those videos' ids."""
    gone = dict[str, str]()
    with ledger.session() as session:
        waiting = iter(video_ids)
        while some := list(islice(waiting, ASKED_AT_ONCE)):
            rows = select(TakedownRow.video_id, TakedownRow.reason).where(TakedownRow.video_id.in_(some))
            gone |= dict(session.execute(rows.order_by(TakedownRow.id)).tuples().all())
    for reason in sorted({*gone.values()}):
        some = [video_id for video_id, why in gone.items() if why == reason]
        demand = demanded(home.snapshots, some, reason=reason, at=datetime.now(UTC))
        _withdraw(ledger, demand, home=home)
    return {*gone}


def forget_here(ledger: Ledger, *, home: Home) -> int:
    """Delete what this home still has of videos that were taken down on another machine; returns how many files."""
    with ledger.session() as session:
        rows = select(ClipRow.video_id, ClipRow.id).join(TakedownRow, TakedownRow.video_id == ClipRow.video_id)
        clips = {video_id: list[str]() for video_id in session.scalars(select(TakedownRow.video_id).distinct())}
        for video_id, clip_id in session.execute(rows.order_by(ClipRow.id).distinct()):
            clips[video_id].append(clip_id)
    return sum(_remove_files(home, video_id, its_clips) for video_id, its_clips in clips.items())


def check_none_taken_down(ledger: Ledger, snapshot: Snapshot) -> None:
    """See that no clip of a snapshot is of a video that this ledger knows to have been taken down.

    Raises:
        SnapshotError: some are.
    """
    videos = snapshot.index(["video_id"]).column("video_id").to_pylist()
    with ledger.session() as session:
        gone = {*session.scalars(select(TakedownRow.video_id))}
    refuse_held(snapshot, sum(one in gone for one in videos))


def videos_of(ledger: Ledger, item: str) -> list[str]:
    """Ids of the videos behind a link in any spelling or as a record has it, a path, a video id or a clip id.

    Raises:
        BadInput: the ledger knows no such thing, or records call several files so.
    """
    with ledger.session() as session:
        clips = select(ClipRow.video_id).where(ClipRow.id == item)
        found = session.scalars(
            select(Video.id)
            .where(or_(Video.id.in_({item, *ids_of(item)}), Video.link == item, Video.id.in_(clips)))
            .order_by(Video.id)
        ).all() or _published_as(session, item)
    if not found:
        raise BadInput(f"the ledger knows no {item}", remedy="give a link, a path, a video id or a clip id of it")
    return list(found)


def _published_as(session: Session, item: str) -> list[str]:
    found = videos_published_as(session, item)
    if len(found) > 1:
        several = f"{len(found)} files are published as {item}: {', '.join(found)}"
        raise BadInput(several, remedy="give the path, or the id, of the one that is meant")
    return found


# Made once: each video asks for these several times, and making them takes longer than the answer.
_TAKEN_DOWN = select(exists().where(TakedownRow.video_id == bindparam("video_id")))
_VIDEO = Video.metadata.tables[Video.__tablename__]
_HELD = update(_VIDEO).where(_VIDEO.c.id == bindparam("video_id")).values(link=_VIDEO.c.link)


class TakenDownMeanwhile(Exception):
    """A video was taken down while something was made of it; nothing of that may be kept."""


@contextmanager
def unless_taken_down(ledger: Ledger, video_id: str) -> Iterator[Session]:
    """A transaction that writes what was made of a video; a take-down comes before it or after it, never between.

    Raises:
        TakenDownMeanwhile: it came before.
    """
    with ledger.session() as session:
        _hold(session, video_id)
        if is_taken_down(session, video_id):
            raise TakenDownMeanwhile(video_id)
        yield session


def is_taken_down(session: Session, video_id: str) -> bool:
    """Whether somebody demanded a video's removal."""
    return bool(session.scalar(_TAKEN_DOWN, {"video_id": video_id}))


def downloads(home: Home, video_id: str) -> list[Path]:
    """The files that a home fetched of a video, also those of a download that is under way."""
    return list(home.videos.glob(f"{video_id}.*"))


def _carry_out(ledger: Ledger, demand: Demand, *, home: Home) -> Removed:
    """Do what was demanded, all of it or what a process that died left of it."""
    files = sum(_forget(ledger, video_id, home=home, reason=demand.reason) for video_id in demand.items)
    return Removed(demand.items, files, tuple(_withdraw(ledger, demand, home=home)))


def _withdraw(ledger: Ledger, demand: Demand, *, home: Home) -> list[TakenDown]:
    done = withdraw(home.snapshots, demand)
    _note_snapshots(ledger, demand, [one for part in done for one in part.withdrawn])
    finish(home.snapshots, demand)
    return done


def _hold(session: Session, video_id: str) -> None:
    """Let no other transaction hold this video until this one ends.

    A write that changes nothing: in SQLite it takes the only lock there is, in PostgreSQL that of the row. It has to be
    the first statement, since what was read before may be old.
    """
    session.execute(_HELD, {"video_id": video_id})


def _forget(ledger: Ledger, video_id: str, *, home: Home, reason: str) -> int:
    """Remove all that a home holds of a video; returns how many files that were.

    Local source files that were only ever used where they lie are not deleted: they are not ours.
    """
    with ledger.session() as session:
        _hold(session, video_id)
        clips = session.scalars(select(ClipRow.id).where(ClipRow.video_id == video_id)).all()
        _forget_rows(session, video_id, reason)
    # Rows first: a run that works on the video meanwhile finds them, and deletes what it makes after this. The rows of
    # the video and its clips stay, so that after a crash in between the same demand leads here again.
    return _remove_files(home, video_id, clips)


def _note_snapshots(ledger: Ledger, demand: Demand, snapshots: Sequence[str]) -> None:
    """Note with each video which snapshots the demand changed, beside those that are noted already."""
    for video_id in demand.items:
        with ledger.session() as session:
            _hold(session, video_id)
            if row := _row_of(session, video_id, demand.reason):
                row.snapshots = list(dict.fromkeys((*row.snapshots, *snapshots)))


def _row_of(session: Session, video_id: str, reason: str) -> TakedownRow | None:
    """The row of a demand: a video and a reason have one, however often somebody tried."""
    same = select(TakedownRow).where(TakedownRow.video_id == video_id, TakedownRow.reason == reason)
    return session.scalars(same.order_by(TakedownRow.id).limit(1)).first()


def _forget_rows(session: Session, video_id: str, reason: str) -> None:
    video = session.get_one(Video, video_id)
    if _row_of(session, video_id, reason) is None:
        session.add(TakedownRow(video_id=video_id, link=video.link, reason=reason, snapshots=[], at=datetime.now(UTC)))
    windows = select(WindowRow.id).where(WindowRow.video_id == video_id)
    session.execute(delete(ScoreRow).where(ScoreRow.window_id.in_(windows)))
    session.execute(delete(DecisionRow).where(DecisionRow.window_id.in_(windows)))
    session.execute(delete(WindowRow).where(WindowRow.video_id == video_id))
    session.execute(delete(FingerprintRow).where(FingerprintRow.video_id == video_id))
    # Clips stay as bare spans, since verdicts are kept for ever and point at them.
    session.execute(update(ClipRow).where(ClipRow.video_id == video_id).values(current=False, cut=None, scores={}))
    session.execute(update(SourceEntry).where(SourceEntry.video_id == video_id).values(caption="", proposal=None))
    video.fetch, video.fetch_detail, video.fetched_at = Outcome.TAKEN_DOWN, reason, datetime.now(UTC)
    video.path = video.sha256 = video.bytes = video.uploader = video.title = None
    video.analysis = video.analysis_key = video.duration_us = None
    video.analysis_detail, video.cuts_us = "", []


def _remove_files(home: Home, video_id: str, clip_ids: Sequence[str]) -> int:
    """Delete downloads and cuts; returns how many files that were."""
    paths, ours = downloads(home, video_id), {*clip_ids}
    for folder in home.cuts.glob("*"):
        # One look at the folder, however many clips the video has: all of a home's cuts lie in it.
        paths += [Path(one.path) for one in os.scandir(folder) if _WORD_END.split(one.name, 1)[0] in ours]
    for clip_id in clip_ids:
        paths += shared_files(home, clip_id)
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths) + home.embeddings.remove(video_id)
