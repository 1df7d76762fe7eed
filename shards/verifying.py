"""Check a snapshot: every byte against the published digests, and a sample of clips by whatever the caller knows."""

import hashlib
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from shards.card import CARD
from shards.errors import SnapshotError
from shards.files import CHUNK, checksums, sha256_of
from shards.reader import read_sample
from shards.schema import Record
from shards.snapshot import INDEX, MANIFEST, SUMS, Snapshot, is_remote

Check = Callable[[Record], list[str]]
"""Looks at one clip and returns its faults."""


def verify(snapshot: Snapshot, *, check: Check | None = None, clips: int = 0, seed: int = 0) -> list[str]:
    """One sentence per fault, empty when all is well.

    `check` is asked about `clips` clips that are drawn by `seed`; not when bytes changed, since then it is known why.
    """
    faults = list(_faults_of_bytes(snapshot))
    if faults or not check:
        return faults
    keys = sorted(snapshot.index(["key"]).column("key").to_pylist())
    drawn = random.Random(seed).sample(keys, min(clips, len(keys)))
    return [f"clip {key}: {fault}" for key in sorted(drawn) for fault in check(read_sample(snapshot, key))]


class Damaged(SnapshotError):
    """A snapshot that something was to be made of is not what was published."""

    def __init__(self, snapshot: Snapshot, fault: str) -> None:
        super().__init__(
            f"nothing is made of {snapshot.id} as it is: {fault}",
            remedy=f"put a good copy of that file back, or give the version up: `clapboard snapshot withdraw "
            f"{snapshot.id} --reason damaged`; then run again",
        )


def check_manifest(snapshot: Snapshot) -> None:
    """Compare a manifest with the checksums beside it.

    Raises:
        Damaged: they do not agree, or one cannot be read.
    """
    for fault in _faults_of_manifest(snapshot):
        raise Damaged(snapshot, fault)


def checked_index(snapshot: Snapshot, columns: list[str] | None = None) -> Any:
    """The index, or some columns of it, as a `pyarrow.Table`; see `open_index`.

    Raises:
        Damaged: it is not what was published, or the manifest changed.
    """
    with open_index(snapshot) as index:
        return index.read(columns=columns)


def open_index(snapshot: Snapshot) -> Any:
    """The index as an open `pyarrow.parquet.ParquetFile`, of bytes that are those that were published.

    A row group is about a shard, so that it can be read shard by shard. One that lies in an object store is fetched
    once. Whoever opened it closes it, by `close(force=True)` or as a context manager.

    Raises:
        Damaged: it is not what was published, or the manifest changed.
    """
    import pyarrow.parquet as pq

    check_manifest(snapshot)
    path = snapshot.file(INDEX)
    if not path.is_file():
        raise Damaged(snapshot, f"{INDEX} is missing")
    file, found = _fetched(path) if is_remote(path) else _hashed(path)
    try:
        if found != snapshot.manifest["index_sha256"]:
            raise Damaged(snapshot, f"{INDEX} changed: sha256 differs from the manifest's")
        return pq.ParquetFile(file)
    except BaseException:
        file.close()
        raise


def _hashed(path: Path) -> tuple[IO[bytes], str]:
    """An open file and its sha256."""
    file = path.open("rb")
    try:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file, digest


def _fetched(path: Path) -> tuple[IO[bytes], str]:
    """A copy of an object that goes when it is closed, and its sha256."""
    copy, digest = tempfile.TemporaryFile(), hashlib.sha256()  # noqa: SIM115
    try:
        with path.open("rb") as source:
            while piece := source.read(CHUNK):
                digest.update(piece)
                copy.write(piece)
        copy.seek(0)
    except BaseException:
        copy.close()
        raise
    return copy, digest.hexdigest()


def check_sizes(snapshot: Snapshot) -> None:
    """Look whether each shard is there and as long as it was published: what takes no time, before what takes hours.

    Raises:
        SnapshotError: one was cut short, has grown or is gone.
    """
    for shard in snapshot.manifest["shards"]:
        path, size = snapshot.file(shard["name"]), int(shard["bytes"])
        try:
            found = path.stat().st_size
        except OSError:
            found = 0
        if found != size:
            raise SnapshotError(
                f"{shard['name']} of {snapshot.id} has {found} of its {size} bytes",
                remedy=f"restore {path} from a copy, or publish anew; `clapboard snapshot verify {snapshot.id}` says "
                "what else changed",
            )


def _faults_of_bytes(snapshot: Snapshot) -> Iterator[str]:
    yield from _faults_of_manifest(snapshot)
    if (wanted := _told_digests(snapshot)) is None:
        return
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for name, found in zip(wanted, threads.map(lambda name: _digest(snapshot, name), wanted), strict=True):
            if found is None:
                yield f"{name} is missing"
            elif found != wanted[name]:
                yield f"{name} changed: sha256 differs from the manifest's"
    for name in sorted({path.name for path in snapshot.path.iterdir()} - wanted.keys() - {SUMS, MANIFEST}):
        yield f"{name} does not belong to the snapshot"


def _faults_of_manifest(snapshot: Snapshot) -> Iterator[str]:
    wanted, sums = _told_digests(snapshot), snapshot.path / SUMS
    if wanted is None:
        yield f"{MANIFEST} changed: it is not readable any more"
    elif not sums.is_file():
        yield f"{SUMS} is missing"
    elif sums.read_bytes() != checksums(wanted | {MANIFEST: sha256_of(snapshot.path / MANIFEST)}):
        yield f"{SUMS} or {MANIFEST} changed: they do not agree"


def _told_digests(snapshot: Snapshot) -> dict[str, str] | None:
    """What the manifest says of each file; None where it cannot be read. Snapshots of before have no card."""
    try:
        told = {shard["name"]: shard["sha256"] for shard in snapshot.manifest["shards"]}
        told |= {CARD: snapshot.manifest["card_sha256"]} if "card_sha256" in snapshot.manifest else {}
        return told | {INDEX: snapshot.manifest["index_sha256"]}
    except (SnapshotError, OSError, KeyError, TypeError):
        return None


def _digest(snapshot: Snapshot, name: str) -> str | None:
    path = snapshot.file(name)
    try:
        return sha256_of(path)
    except (OSError, ValueError):
        return None
