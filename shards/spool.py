"""Samples in any number, read once: they lie on the disk until their shard is written, their outlines in memory.

A clip takes some 130 bytes of memory here (its key, its digest, two numbers), and as much of the disk as its record.
"""

import json
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from shards.errors import BadInput
from shards.schema import Blob, ClipRecord, Sample
from shards.snapshot import is_remote
from shards.writer import packed_size

DIGEST_BYTES = 32


class Contents:
    """What a snapshot holds: the key and the content digest of each clip, in order of key."""

    def __init__(self, keys: list[str], digests: bytes) -> None:
        """Keys in order, and their sha256 one after the other."""
        self._keys, self._digests = keys, digests

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> "Contents":
        """From keys, each with its digest in hexadecimal, in any order.

        Raises:
            BadInput: a key comes twice.
        """
        keys, digests = list[str](), bytearray()
        for key, digest in pairs:
            keys.append(key)
            digests += bytes.fromhex(digest)
        order = _order(keys)
        return cls([keys[number] for number in order], _in_order(digests, order))

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Keys, each with its digest."""
        for number, key in enumerate(self._keys):
            yield key, _piece(self._digests, number).hex()

    def number_of(self, key: str, content: str) -> int | None:
        """Which clip this is; None if there is none of that key and content."""
        number = self.place_of(key)
        if number is None or _piece(self._digests, number).hex() != content:
            return None
        return number

    def place_of(self, key: str) -> int | None:
        """Which clip has this key; None if none has."""
        number = bisect_left(self._keys, key)
        return number if number < len(self._keys) and self._keys[number] == key else None

    def key_of(self, number: int) -> str:
        """The key of a clip."""
        return self._keys[number]


class Spool:
    """Samples that were read once, in order of key; use as a context manager, which forgets them.

    Attributes:
        contents: their keys and digests.
        sizes: the bytes that each takes in a shard.
        scores: the names of all scores that any of them has.
    """

    def __init__(self, samples: Iterable[Sample], *, near: Path) -> None:
        """Read samples in whatever order they come; `near` is where the snapshot will lie.

        Raises:
            BadInput: a key comes twice.
        """
        self._file: Any = tempfile.TemporaryFile(dir=_folder(near))  # noqa: SIM115
        self._kept: list[Blob] = []
        """Media that are no files; they are what they are."""
        self.scores: set[str] = set()
        try:
            self._read(samples)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self.sizes)

    def sample(self, number: int) -> Sample:
        """The sample of that number in order of key."""
        self._file.seek(self._places[number])
        record, mp4, flac = (json.loads(self._file.readline()) for _ in range(3))
        return Sample(ClipRecord.of(record), self._blob(mp4), self._blob(flac))

    def _read(self, samples: Iterable[Sample]) -> None:
        keys, digests, sizes, places = list[str](), bytearray(), array("q"), array("q")
        place = 0
        for sample in samples:
            record = sample.record.to_json()
            keys.append(sample.record.key)
            digests += bytes.fromhex(sample.content_with(record))
            sizes.append(packed_size(sample, record))
            places.append(place)
            self.scores.update(sample.record.scores)
            lines = record, self._told(sample.mp4), self._told(sample.flac), b""
            place += self._file.write(b"\n".join(lines))
        order = _order(keys)
        self.contents = Contents([keys[number] for number in order], _in_order(digests, order))
        self.sizes, self._places = (array("q", _in_order(one, order)) for one in (sizes, places))

    def _told(self, blob: Blob) -> bytes:
        if blob.path is not None:
            return json.dumps([blob.size, blob.sha256, str(blob.path)]).encode()
        self._kept.append(blob)
        return str(len(self._kept) - 1).encode()

    def _blob(self, told: Any) -> Blob:
        if isinstance(told, int):
            return self._kept[told]
        size, sha256, path = told
        return Blob.at(Path(path), size=size, sha256=sha256)


def _order(keys: Sequence[str]) -> "array[int]":
    """Numbers of the keys in order.

    Raises:
        BadInput: one comes twice.
    """
    order = array("q", sorted(range(len(keys)), key=keys.__getitem__))
    for before, number in pairwise(order):
        if keys[before] == keys[number]:
            raise BadInput(f"a clip comes twice: {keys[number]}", remedy="give each clip a key of its own")
    return order


def _in_order(values: "bytearray | array[int]", order: "array[int]") -> bytes:
    """Values of equal length, one after the other, in another order."""
    return np.frombuffer(values, np.uint8).reshape(len(order), -1)[np.asarray(order)].tobytes() if order else b""


def _piece(digests: bytes, number: int) -> bytes:
    return digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]


def _folder(near: Path) -> Path | None:
    """Beside the snapshots, where there is room for them; of an object store, where this machine keeps such files."""
    if is_remote(near):
        return None
    (folder := near / ".staging").mkdir(parents=True, exist_ok=True)
    return folder
