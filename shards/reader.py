"""Read clips back: all of a snapshot in order, or any of them by their byte ranges."""

import hashlib
import json
import tarfile
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from shards.errors import SnapshotError
from shards.schema import Record
from shards.snapshot import Snapshot

OPEN_SHARDS = 64
"""Shard files that a reader keeps open."""


def read_samples(snapshot: Snapshot) -> Iterator[Record]:
    """Every clip of the snapshot, shard by shard, each shard in order of key.

    Raises:
        SnapshotError: a shard is missing or cannot be read.
    """
    for path in snapshot.shards():
        try:
            with path.open("rb") as file, tarfile.open(fileobj=file, mode="r|") as tar:
                yield from _records(tar)
        except (OSError, tarfile.TarError, KeyError, ValueError) as error:
            raise _broken(snapshot, f"shard {path.name} of {snapshot.id} cannot be read: {error}") from error


def read_sample(snapshot: Snapshot, key: str) -> Record:
    """One clip by its key, reading only its byte range.

    Raises:
        SnapshotError: no such key, or its bytes are not those that were published.
    """
    import pyarrow.compute as pc

    found = snapshot.index(["key", *ClipReader.COLUMNS]).filter(pc.field("key") == key).to_pylist()
    if not found:
        raise SnapshotError(f"{snapshot.id} has no clip {key}", remedy=f"clapboard snapshot show {snapshot.id}")
    row = found[0]
    with _opened(snapshot.file(row["shard"])) as file:
        return _checked(snapshot, key, row, _range(file, row))


class ClipReader:
    """Any clip of a snapshot by its number in the index; files stay open between reads.

    Threads may share it: a file has one position, so they seek and read in turn. It may be handed to another process:
    what it has open stays behind.
    """

    COLUMNS = ("shard", "offset", "size", "sha256", "mp4_offset", "mp4_size", "flac_offset", "flac_size")

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._open: dict[str, IO[bytes]] = {}
        self._turn = threading.Lock()

    def __len__(self) -> int:
        return len(self._places["offset"])

    def __getitem__(self, number: int) -> Record:
        """The clip of row `number`.

        Raises:
            SnapshotError: its bytes are not those that were published.
        """
        row = {name: column[number] for name, column in self._places.items()}
        with self._turn:
            data = _range(self._file(row["shard"]), row)
        return _checked(self.snapshot, row["key"], row, data)

    def __reduce__(self) -> tuple[type["ClipReader"], tuple[Snapshot]]:
        return ClipReader, (self.snapshot,)

    def close(self) -> None:
        """Close all files."""
        with self._turn:
            for file in self._open.values():
                file.close()
            self._open.clear()

    @cached_property
    def _places(self) -> dict[str, Sequence[Any]]:
        table = self.snapshot.index(["key", *self.COLUMNS])
        return {name: table.column(name).to_pylist() for name in table.column_names}

    def _file(self, shard: str) -> IO[bytes]:
        try:
            file = self._open.pop(shard, None) or _opened(self.snapshot.file(shard))
        except FileNotFoundError as error:
            raise _broken(self.snapshot, f"{shard} of {self.snapshot.id} is missing") from error
        # The one that was used last stands last; the first in line is closed when there are too many.
        self._open[shard] = file
        if len(self._open) > OPEN_SHARDS:
            self._open.pop(next(iter(self._open))).close()
        return file


def _opened(path: Path) -> IO[bytes]:
    """Open for reading here and there: an object store shall not read ahead what nobody asked for."""
    if files := getattr(path, "fs", None):
        return files.open(path.path, "rb", cache_type="none")  # type: ignore[no-any-return, attr-defined]
    return path.open("rb")


def _range(file: IO[bytes], row: dict[str, Any]) -> bytes:
    file.seek(row["offset"])
    return file.read(row["size"])


def _checked(snapshot: Snapshot, key: str, row: dict[str, Any], data: bytes) -> Record:
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        raise _broken(snapshot, f"the bytes of {key} in {snapshot.id} changed")
    # Where the media lie is known, and the record stands between them; reading headers would take half of the time.
    flac, mp4 = (row[f"{kind}_offset"] - row["offset"] for kind in ("flac", "mp4"))
    record = data[flac + -(-row["flac_size"] // 512) * 512 + 512 : mp4 - 512].rstrip(b"\0")
    media = data[mp4 : mp4 + row["mp4_size"]], data[flac : flac + row["flac_size"]]
    return Record(key, *media, json.loads(record))


def _records(tar: tarfile.TarFile) -> Iterator[Record]:
    """Clips of a tar; the three members of each stand side by side."""
    parts: dict[str, bytes] = {}
    for member in tar:
        key, _, kind = member.name.rpartition(".")
        file = tar.extractfile(member)
        parts[kind] = file.read() if file else b""
        if len(parts) == 3:
            yield Record(key, parts["mp4"], parts["flac"], json.loads(parts["json"]))
            parts = {}


def _broken(snapshot: Snapshot, message: str) -> SnapshotError:
    return SnapshotError(message, remedy=f"clapboard snapshot verify {snapshot.id}")
