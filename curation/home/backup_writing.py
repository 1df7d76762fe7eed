"""Write a backup: a folder, or one .tar, filled aside and renamed, so that it is seen whole or not at all.

`SHA256SUMS` comes last and covers every file. A file that is there twice, such as a shard that versions share, is kept
once.
"""

import hashlib
import os
import shutil
import socket
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

from curation.home.backup_files import (
    FILE_RIGHTS,
    FOLDER_RIGHTS,
    MANIFEST,
    SUMS,
    BackupError,
    BackupFacts,
    BackupFault,
    BackupManifest,
    FileFact,
)
from shards.errors import SnapshotError
from shards.files import CHUNK, is_alive, sync

WHOLE = "whole"
SHARD_REMEDY = "`clapboard snapshot verify` says what changed; without --with-shards the rest is kept"
Progress = Callable[[int, int, str], None]
"""Bytes done, bytes in all, and which file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to be kept, or its bytes; `sha256` is what it was published with, where that is known."""

    name: str
    source: Path | bytes
    sha256: str | None = None

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size

    def open(self) -> BinaryIO:
        """To read."""
        return BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb")


@contextmanager
def aside(out: Path) -> Iterator[Path]:
    """A folder beside a backup to make it in; gone afterwards, and what killed ones left with it.

    Raises:
        BackupError: there is something of that name already.
    """
    if out.exists():
        raise BackupError(BackupFault.EXISTS, f"{out} is there already", remedy="name another file or folder")
    with beside(out) as work:
        yield work


@contextmanager
def beside(place: Path) -> Iterator[Path]:
    """A folder for us alone beside a place, on the same disk; gone afterwards, and what killed ones left with it."""
    start, end = f".{place.name}.{socket.gethostname()}.", ".partial"
    place.parent.mkdir(parents=True, exist_ok=True)
    for left in place.parent.iterdir():
        pid = left.name.removeprefix(start).removesuffix(end)
        if left.name == f"{start}{pid}{end}" and pid.isdigit() and not is_alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    work = place.parent / f"{start}{os.getpid()}{end}"
    work.mkdir(mode=FOLDER_RIGHTS)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def fill(
    work: Path, out: Path, entries: Sequence[Entry], facts: BackupFacts, *, progress: Progress | None = None
) -> BackupManifest:
    """Write all entries, then what they are, into the work folder; a backup whose name ends in .tar will be one file.

    Raises:
        SnapshotError: a file is not what was published.
    """
    sink: _Sink = _Tar(work / WHOLE) if out.suffix == ".tar" else _Folder(work / WHOLE)
    try:
        manifest = BackupManifest(facts=facts, files=dict(_kept(sink, entries, progress)))
        told = manifest.to_bytes()
        sums = manifest.sums(told)
        sink.add(MANIFEST, BytesIO(told), len(told))
        sink.add(SUMS, BytesIO(sums), len(sums))
    finally:
        sink.close()
    return manifest


def show(work: Path, out: Path) -> None:
    """Let what was filled be seen at its place."""
    (work / WHOLE).rename(out)
    sync(out.parent)


def _kept(sink: "_Sink", entries: Sequence[Entry], progress: Progress | None) -> Iterable[tuple[str, FileFact]]:
    there: dict[str, str] = {}
    sizes = [entry.size for entry in entries]
    done, total = 0, sum(sizes)
    for entry, size in zip(entries, sizes, strict=True):
        if progress:
            progress(done, total, entry.name)
        done += size
        if entry.sha256 in there:
            yield entry.name, FileFact(bytes=size, sha256=entry.sha256, same_as=there[entry.sha256])
            continue
        with entry.open() as stream:
            read = _Hashed(stream)
            sink.add(entry.name, read, size)  # type: ignore[arg-type]  # it is read, and nothing else
        found = read.digest.hexdigest()
        if entry.sha256 not in (None, found):
            raise SnapshotError(f"{entry.name} is not what was published", remedy=SHARD_REMEDY)
        there[found] = entry.name
        yield entry.name, FileFact(bytes=size, sha256=found)
    if progress:
        progress(total, total, "done")


class _Hashed:
    """A stream whose bytes are hashed as they are read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.digest = stream, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self.digest.update(piece)
        return piece


class _Sink(Protocol):
    def add(self, name: str, stream: BinaryIO, size: int) -> None:
        """Keep a file of so many bytes.

        Raises:
            OSError: it has not so many.
        """
        ...

    def close(self) -> None:
        """What was kept is on the disk."""
        ...


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(mode=FOLDER_RIGHTS)

    def add(self, name: str, stream: BinaryIO, size: int) -> None:
        path = self._path / name
        path.parent.mkdir(mode=FOLDER_RIGHTS, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_RIGHTS), "wb") as file:
            shutil.copyfileobj(stream, file, CHUNK)
            file.flush()
            os.fsync(file.fileno())
        if path.stat().st_size != size:
            raise OSError(f"{name} changed while it was read")

    def close(self) -> None:
        sync(self._path)


class _Tar:
    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_RIGHTS), "wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def add(self, name: str, stream: BinaryIO, size: int) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, FILE_RIGHTS
        self._tar.addfile(member, stream)

    def close(self) -> None:
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
