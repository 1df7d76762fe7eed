"""Take clips out of published data sets: the bytes go, the versions that held them are withdrawn, the rest goes on.

A version never changes; it can only disappear. So the newest version gets a successor without the clips, in which only
the touched shards are written anew; every version that held one of the clips loses the touched shards and its manifest,
and leaves a note of where to go. Nothing is lost that was not to be lost. It may be killed anywhere and repeated, and
any number may run at once, beside publications too: whoever finds that another version came in between looks anew.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from shards.card import CardNotes
from shards.demands import Demand, TakenDown, demanded, finish, log, note, results
from shards.errors import SnapshotError, Unavailable
from shards.files import write_atomic
from shards.publishing import Published, Shared, Terms, write_snapshot
from shards.reader import ClipReader
from shards.schema import Blob, ClipRecord, Sample
from shards.snapshot import MANIFEST, WITHDRAWN, Snapshot, is_remote, names, next_version, versions
from shards.spool import Contents, Spool
from shards.verifying import checked_index

__all__ = ["TakenDown", "give_up", "log", "take_down", "withdraw"]

ATTEMPTS = 100
"""Each failed one means that somebody else's succeeded. [ours]"""


def take_down(root: Path, items: Collection[str], *, reason: str, at: datetime) -> list[TakenDown]:
    """Take clips out of all snapshots under `root`, by key, video id or link; one result for each name that held any.

    The demand is written down first, and again when nothing is left to do: `shards.demands`.

    Raises:
        SnapshotError: a version that may hold some of them is damaged; the demand stays open, all else was done.
    """
    demand = demanded(root, items, reason=reason, at=at)
    done = withdraw(root, demand)
    finish(root, demand)
    return done


def withdraw(root: Path, demand: Demand) -> list[TakenDown]:
    """Do to the snapshots what was demanded; returns what was done, in earlier attempts as well.

    Raises:
        SnapshotError: a version that may hold some of it is damaged; what the others hold is gone.
    """
    damaged: SnapshotError | None = None
    for name in names(root):
        try:
            _retried(root, name, lambda name=name: _from_name(root, name, demand))  # type: ignore[misc]
        except SnapshotError as error:
            damaged = damaged or error
        # Also what a take-down that was killed left behind.
        _retried(root, name, lambda name=name: _sweep(root, name))  # type: ignore[misc]
    if damaged:
        raise damaged
    return results(root, demand)


def give_up(snapshot: Snapshot, *, reason: str, successor: str | None = None) -> None:
    """Let a version be seen no more, and leave a note of where to go; its files stay until a take-down sweeps them."""
    told = json.dumps({"id": snapshot.id, "reason": reason, "successor": successor}, indent=2) + "\n"
    path = snapshot.path / WITHDRAWN
    if is_remote(path):
        path.write_bytes(told.encode())  # a store shows it whole or not at all
    else:
        write_atomic(path, told.encode())
    (snapshot.path / MANIFEST).unlink(missing_ok=True)


def _retried(root: Path, name: str, work: Callable[[], None]) -> None:
    """Do it anew while others change the versions of a name under our feet."""
    for attempt in range(ATTEMPTS):
        before = None
        try:
            before = _seen(root, name)
            return work()
        except (OSError, SnapshotError, Unavailable):
            # A store says of what went away while it was read that it cannot be used.
            if attempt + 1 == ATTEMPTS or (before is not None and _seen(root, name) == before):
                raise
    return None


def _seen(root: Path, name: str) -> tuple[int, list[Snapshot]]:
    """The number that the next version gets and the versions that are there, as of one moment."""
    while True:
        number = next_version(root, name)
        there = versions(root, name)
        # Else a version may have come and another gone while we looked, and neither be in the list.
        if next_version(root, name) == number:
            return number, there


def _from_name(root: Path, name: str, demand: Demand) -> None:
    """Withdraw the versions that hold what is demanded, until none does: somebody may publish one meanwhile."""
    while True:
        number, there = _seen(root, name)
        holders = [(one, held) for one in there if (held := _held(one, demand.items))]
        if not holders:
            return
        newest, written = there[-1], 0
        successor: str | None = newest.id
        for snapshot, held in holders:
            if snapshot.version == newest.version:
                made = _without(root, snapshot, held, number)
                successor, written = (made.snapshot.id, made.written_bytes) if made else (None, 0)
        keys = tuple(sorted(set().union(*(held for _, held in holders))))
        # What is done is on record before it is done; done twice, it is the same.
        note(root, demand, TakenDown(name, keys, tuple(one.id for one, _ in holders), successor, written))
        for snapshot, _ in holders:
            give_up(snapshot, reason=demand.reason, successor=successor)


def _without(root: Path, snapshot: Snapshot, keys: set[str], number: int) -> Published | None:
    """Publish the successor of a snapshot without some clips; None when nothing would be left."""
    index = checked_index(snapshot, ["key", "content"])
    rows = list(zip(index.column("key").to_pylist(), index.column("content").to_pylist(), strict=True))
    contents = Contents.of((key, content) for key, content in rows if key not in keys)
    if not len(contents):
        return None
    told = snapshot.manifest
    terms = Terms(told["recipe"], tuple(told["parents"]), told["clips_per_shard"], CardNotes.of(told))
    reader = ClipReader(snapshot)
    try:
        with Shared(snapshot, contents) as shared:
            left = (at for at, (key, _) in enumerate(rows) if key not in keys and not shared.holds(key))
            with Spool((_sample(reader, at) for at in left), near=root) as samples:
                return write_snapshot(root, snapshot.name, samples, contents, terms, shared, number=number)
    finally:
        reader.close()


def _sample(reader: ClipReader, number: int) -> Sample:
    """A published clip as one to be published again; its media are read again when their turn comes."""
    clip = reader[number]
    mp4, flac = Blob.of(clip.mp4), Blob.of(clip.flac)
    return Sample(
        ClipRecord.of(clip.meta),
        replace(mp4, read=lambda: reader[number].mp4),
        replace(flac, read=lambda: reader[number].flac),
    )


def _sweep(root: Path, name: str) -> None:
    """Delete what lies in withdrawn versions, but for the note and for shards that living versions refer to."""
    # First what may be swept, then who lives: so a successor was there before its forerunner was withdrawn.
    gone = [folder for folder in _folders(root / name) if not (folder / MANIFEST).is_file()]
    living = {str(shard) for one in _seen(root, name)[1] for shard in one.shards()}
    for folder in gone:
        for path in list(folder.iterdir()):
            if path.name != WITHDRAWN and str(path) not in living:
                path.unlink(missing_ok=True)


def _folders(place: Path) -> Sequence[Path]:
    return [folder for folder in place.iterdir() if (folder / WITHDRAWN).is_file()]


def _held(snapshot: Snapshot, items: Collection[str]) -> set[str]:
    """Keys of the clips of a snapshot that are meant.

    Raises:
        SnapshotError: its index was edited, and may not name what lies there.
    """
    wanted, index = set(items), checked_index(snapshot, ["key", "video_id", "link"])
    columns = (index.column(name).to_pylist() for name in ("key", "video_id", "link"))
    return {names[0] for names in zip(*columns, strict=True) if not wanted.isdisjoint(names)}
