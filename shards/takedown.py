"""Take clips out of published data sets: the bytes go, the versions that held them are withdrawn, the rest goes on.

A version never changes; it can only disappear. So the newest version gets a successor without the clips, in which only
the touched shards are written anew; every version that held one of the clips loses the touched shards and its manifest,
and leaves a note of where to go. Nothing is lost that was not to be lost, and a run can be repeated after a crash.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from shards.publishing import Published, Shared, Terms, write_snapshot
from shards.reader import ClipReader
from shards.schema import Blob, ClipRecord, Sample
from shards.snapshot import MANIFEST, WITHDRAWN, Snapshot, names, versions

LOG = "takedowns.jsonl"


@dataclass(frozen=True, slots=True)
class TakenDown:
    """What one take-down did to one name: the versions withdrawn, their successor, and the bytes written for it."""

    name: str
    keys: tuple[str, ...]
    withdrawn: tuple[str, ...]
    successor: str | None
    written_bytes: int


def take_down(root: Path, items: Collection[str], *, reason: str, at: datetime) -> list[TakenDown]:
    """Take clips out of all snapshots under `root`, by key, video id or link; one result for each name that held any.

    Every take-down is a line of `takedowns.jsonl` in `root`.
    """
    done = []
    for name in names(root):
        holders = [(one, held) for one in versions(root, name) if (held := _held(one, items))]
        if holders:
            done.append(_from_name(root, name, holders, reason))
        # Also what a take-down that was killed left behind.
        _sweep(root, name)
    if done:
        _log(root, done, reason, at)
    return done


def log(root: Path) -> list[dict[str, Any]]:
    """The take-downs of `root`, oldest first."""
    path = root / LOG
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def _from_name(root: Path, name: str, holders: Sequence[tuple[Snapshot, set[str]]], reason: str) -> TakenDown:
    newest, written = versions(root, name)[-1], 0
    successor: str | None = newest.id
    for snapshot, held in holders:
        if snapshot.version == newest.version:
            made = _without(root, snapshot, held)
            successor, written = (made.snapshot.id, made.written_bytes) if made else (None, 0)
    for snapshot, _ in holders:
        note = {"id": snapshot.id, "reason": reason, "successor": successor}
        (snapshot.path / WITHDRAWN).write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
        (snapshot.path / MANIFEST).unlink()
    keys = tuple(sorted(set().union(*(held for _, held in holders))))
    return TakenDown(name, keys, tuple(snapshot.id for snapshot, _ in holders), successor, written)


def _without(root: Path, snapshot: Snapshot, keys: set[str]) -> Published | None:
    """Publish the successor of a snapshot without some clips; None when nothing would be left."""
    index = snapshot.index(["key", "content"])
    pairs = zip(index.column("key").to_pylist(), index.column("content").to_pylist(), strict=True)
    contents = {key: content for key, content in pairs if key not in keys}
    if not contents:
        return None
    shared = Shared(snapshot, contents)
    left = {key: number for number, key in enumerate(index.column("key").to_pylist()) if key in contents}
    reader = ClipReader(snapshot)
    samples = {key: _sample(reader, number) for key, number in left.items() if key not in shared.keys}
    told = snapshot.manifest
    terms = Terms(told["recipe"], tuple(told["parents"]), told["clips_per_shard"])
    try:
        return write_snapshot(root, snapshot.name, samples, contents, terms, shared)
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
    living = {str(shard) for one in versions(root, name) for shard in one.shards()}
    for folder in (root / name).iterdir():
        if (folder / WITHDRAWN).is_file() and not (folder / MANIFEST).is_file():
            for path in folder.iterdir():
                if path.name != WITHDRAWN and str(path) not in living:
                    path.unlink()


def _held(snapshot: Snapshot, items: Collection[str]) -> set[str]:
    """Keys of the clips of a snapshot that are meant."""
    wanted, index = set(items), snapshot.index(["key", "video_id", "link"])
    columns = (index.column(name).to_pylist() for name in ("key", "video_id", "link"))
    return {names[0] for names in zip(*columns, strict=True) if not wanted.isdisjoint(names)}


def _log(root: Path, done: list[TakenDown], reason: str, at: datetime) -> None:
    path = root / LOG
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    lines = [json.dumps({"at": at.isoformat(), "reason": reason} | asdict(one)) for one in done]
    path.write_text(before + "".join(f"{line}\n" for line in lines), encoding="utf-8")
