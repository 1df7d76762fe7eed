"""Publish: the next version of a data set, written aside, then seen at once.

Its `content` digest covers what is in it (records, media, settings), so publishing the same clips again finds the
version that is there and writes nothing. Shards of the version before whose clips all stay as they are, are shared:
hard links in folders, references in object stores. What is new is packed into shards of its own.

Records lie on the disk meanwhile, and indices are read a shard at a time; see `shards.spool` for what memory grows by.
"""

import hashlib
import json
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from shards.card import CARD, TOLD, CardNotes, Told, card_of
from shards.errors import BadInput, SnapshotError
from shards.files import checksums, sha256_of
from shards.index import IndexWriter, score_columns
from shards.packing import pack
from shards.schema import SCHEMA_VERSION, Sample
from shards.snapshot import INDEX, MANIFEST, SUMS, Snapshot, is_name, versions
from shards.spool import Contents, Spool
from shards.storage import Destination, destination
from shards.verifying import Damaged, check_manifest, open_index
from shards.writer import Shard, write_shard


@dataclass(frozen=True, slots=True)
class Published:
    """The result of a publication: the snapshot, whether it was written now or stood there already, what it cost.

    `shared_bytes` lie in shards that an older version has too.
    """

    snapshot: Snapshot
    fresh: bool
    written_bytes: int = 0
    shared_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """What a snapshot is published under: all that its content depends on besides its clips.

    The `notes` are told in its card, and its content does not depend on them.
    """

    recipe: dict[str, Any]
    parents: tuple[str, ...] = ()
    clips_per_shard: int = 256
    notes: CardNotes = field(default_factory=CardNotes)

    def digest_with(self, contents: Contents) -> str:
        """The content digest of a snapshot of these clips under these terms."""
        digest = hashlib.sha256(
            json.dumps([self.recipe, list(self.parents), self.clips_per_shard], sort_keys=True).encode()
        )
        for key, content in contents:
            digest.update(f"{key}:{content}\n".encode())
        return digest.hexdigest()


def publish(
    root: Path,
    name: str,
    samples: Iterable[Sample],
    *,
    recipe: dict[str, Any],
    parents: Sequence[str] = (),
    clips_per_shard: int = 256,
    notes: CardNotes | None = None,
) -> Published:
    """Publish `samples` as the next version of NAME, or find that the newest version holds just these.

    They are read once, in whatever order they come; media are read one clip at a time. Memory grows by some 200 bytes a
    clip, and by what the samples' media hold that are no files. What the `notes` say is told in the card.

    Raises:
        BadInput: the name is not usable as a folder, a key comes twice, or there is nothing to publish.
        SnapshotError: a cut file changed, what would be shared with the version before is not what was published, or
            another publication of the same name was quicker.
    """
    if not is_name(name):
        raise BadInput(f"{name!r} cannot name a snapshot", remedy="use lower-case letters, digits, '.', '_', '-'")
    terms = Terms(recipe, tuple(parents), clips_per_shard, notes or CardNotes())
    with Spool(samples, near=root) as spool:
        if not len(spool):
            nothing = f"no clip was accepted, so there is no snapshot {name!r}"
            raise BadInput(nothing, remedy="`clapboard funnel` says why")
        return _published(root, name, spool, terms)


def _published(root: Path, name: str, spool: Spool, terms: Terms) -> Published:
    while True:
        newest = next(iter(versions(root, name)[-1:]), None)
        try:
            if newest is None:
                return write_snapshot(root, name, spool, spool.contents, terms, None)
            check_manifest(newest)
            if newest.manifest["content"] == terms.digest_with(spool.contents):
                return Published(newest, fresh=False)
            with Shared(newest, spool.contents, least_clips=terms.clips_per_shard // 2) as shared:
                return write_snapshot(root, name, spool, spool.contents, terms, shared)
        except (OSError, SnapshotError):
            # A take-down meanwhile withdraws what was to be shared, and leaves a newer version to share with.
            if newest is None or newest.is_seen:
                raise


def write_snapshot(
    root: Path,
    name: str,
    samples: Spool,
    contents: Contents,
    terms: Terms,
    shared: "Shared | None",
    *,
    number: int | None = None,
) -> Published:
    """Write the next version of NAME: shared shards as they are, the other samples packed into new ones.

    With `number`, what `next_version` said, it is seen only if nothing else was published since then.
    """
    scores = {f"score_{name}" for name in samples.scores}
    digest = terms.digest_with(contents)
    with _build(destination(root, name, digest, number=number), scores, shared) as build:
        key_of = samples.contents.key_of
        fresh = array("q", (at for at in range(len(samples)) if not (shared and shared.holds(key_of(at)))))
        sizes = array("q", (samples.sizes[at] for at in fresh))
        for shard in pack(sizes, clips_per_shard=terms.clips_per_shard):
            build.add([samples.sample(fresh[at]) for at in shard])
        return build.finish(terms, digest)


@contextmanager
def _build(to: Destination, scores: set[str], shared: "Shared | None") -> "Iterator[_Build]":
    try:
        with IndexWriter(to.staged / INDEX, sorted(scores | (shared.scores if shared else set()))) as index:
            build = _Build(to, index)
            if shared:
                build.share(shared)
            yield build
    except BaseException:
        to.abandon()
        raise


class _Build:
    """A snapshot in the making."""

    def __init__(self, to: Destination, index: IndexWriter) -> None:
        self._to, self._index, self._told = to, index, Told()
        self._shards: list[Shard] = []
        self._written = self._duration_us = 0

    def add(self, samples: Sequence[Sample]) -> None:
        """Write a new shard."""
        plan = hashlib.sha256("".join(sample.content() for sample in samples).encode()).hexdigest()
        path = self._to.staged / self._to.shard_name(len(self._shards), plan)
        shard, rows = write_shard(path, samples)
        self._to.put(path.name)
        self._index.write(rows)
        self._told.add_columns({name: [row[name] for row in rows] for name in TOLD})
        self._shards.append(shard)
        self._written += shard.bytes
        self._duration_us += sum(row["duration_us"] for row in rows)

    def share(self, older: "Shared") -> None:
        """Take shards of an older version as they are.

        Raises:
            Damaged: one of them is not what was published.
        """
        first = len(self._shards)
        numbers = range(first, first + len(older.shards))
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            names = list(threads.map(partial(self._to.share, older.snapshot), older.shards, numbers))
        for shard, name, rows in zip(older.shards, names, older.rows(), strict=True):
            self._index.copy(rows, shard=name)
            self._told.add(rows)
            self._shards.append(replace(shard, name=name))
            self._duration_us += sum(rows.column("duration_us").to_pylist())

    def finish(self, terms: Terms, content: str) -> Published:
        """Write index, card and manifest, and let the snapshot be seen."""
        staged = self._to.staged
        self._index.__exit__()
        self._to.put(INDEX)
        index_sha256 = sha256_of(staged / INDEX)
        manifest: dict[str, Any] = {
            "schema": SCHEMA_VERSION,
            "id": f"{self._to.name}/v{self._to.version}",
            "content": content,
            "code_version": installed_version("clapboard"),
            "parents": list(terms.parents),
            "recipe": terms.recipe,
            "clips_per_shard": terms.clips_per_shard,
            "counts": {"clips": sum(shard.clips for shard in self._shards), "seconds": self._duration_us / 1e6},
            "shards": [asdict(shard) for shard in self._shards],
            "index_sha256": index_sha256,
            "notes": terms.notes.told(self._index.scores),
        }
        manifest["card_sha256"] = self._write_card(manifest)
        (staged / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        sums = {shard.name: shard.sha256 for shard in self._shards}
        sums |= {INDEX: index_sha256, CARD: manifest["card_sha256"], MANIFEST: sha256_of(staged / MANIFEST)}
        (staged / SUMS).write_bytes(checksums(sums))
        self._to.put(SUMS)
        total = sum(shard.bytes for shard in self._shards)
        return Published(self._to.commit(), fresh=True, written_bytes=self._written, shared_bytes=total - self._written)

    def _write_card(self, manifest: dict[str, Any]) -> str:
        """Write the card; returns its sha256."""
        path = self._to.staged / CARD
        path.write_text(card_of(manifest, self._told, self._index.scores), encoding="utf-8")
        self._to.put(CARD)
        return sha256_of(path)


class Shared:
    """What a new version can take from the one before: shards of which each clip is still wanted as it is.

    Shards with fewer than `least_clips` are not taken, since one append after the other would leave a heap of them.

    Its index stays open meanwhile, of which a shard's rows are read at a time; use as a context manager.

    Raises:
        Damaged: the index or the manifest of the one before is not what was published.
    """

    def __init__(self, snapshot: Snapshot, contents: Contents, *, least_clips: int = 0) -> None:
        self.snapshot = snapshot
        self._contents, self._held = contents, bytearray(len(contents))
        self._index = open_index(snapshot)
        self.scores = score_columns(self._index.schema_arrow.names)
        self.shards: list[Shard] = []
        self._groups: list[int] = []
        """Which row group of the index is about each of them."""
        try:
            self._look(least_clips)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> "Shared":
        return self

    def __exit__(self, *_: object) -> None:
        self._index.close(force=True)

    def holds(self, key: str) -> bool:
        """Whether a clip lies in a shard that is taken."""
        number = self._contents.place_of(key)
        return number is not None and bool(self._held[number])

    def rows(self) -> Iterator[Any]:
        """The rows of the older index about each shard, a `pyarrow.Table` at a time."""
        for group in self._groups:
            yield self._index.read_row_group(group)

    def _look(self, least_clips: int) -> None:
        shards = self.snapshot.manifest["shards"]
        if self._index.num_row_groups != len(shards):
            raise Damaged(self.snapshot, f"{INDEX} does not have its rows by shard")
        for group, told in enumerate(shards):
            if told["clips"] < least_clips:
                continue
            rows = self._index.read_row_group(group, columns=["key", "content"])
            clips = zip(rows.column("key").to_pylist(), rows.column("content").to_pylist(), strict=True)
            numbers = [self._contents.number_of(key, content) for key, content in clips]
            wanted = [number for number in numbers if number is not None]
            if len(wanted) == told["clips"] == len(numbers):
                for number in wanted:
                    self._held[number] = 1
                self.shards.append(Shard(**told))
                self._groups.append(group)
