"""Snapshots: named, versioned, immutable data sets that are seen whole or not at all.

    ROOT/NAME/vN/  000000.tar ...  index.parquet  snapshot.json

A snapshot is written aside and renamed into place. Its `content` digest covers what is in it (records, media,
settings), so publishing the same clips again finds the version that is there and writes nothing.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from shards.errors import BadInput, SnapshotError
from shards.files import sha256_of
from shards.schema import SCHEMA_VERSION, Sample
from shards.writer import write_shards

MANIFEST = "snapshot.json"
INDEX = "index.parquet"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Snapshot:
    """A published snapshot on disk; `id` is "NAME/vN" and `digest` the sha256 of its manifest."""

    path: Path
    name: str
    version: int

    @property
    def id(self) -> str:
        """The name that training pins, e.g. "auto/v1"."""
        return f"{self.name}/v{self.version}"

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The parsed snapshot.json."""
        return dict(json.loads((self.path / MANIFEST).read_text(encoding="utf-8")))

    @cached_property
    def digest(self) -> str:
        """sha256 of snapshot.json, which itself holds the sha256 of everything else."""
        return sha256_of(self.path / MANIFEST)

    def index(self) -> Any:
        """The index as a `pyarrow.Table`, one row per clip in order of key."""
        import pyarrow.parquet

        return pyarrow.parquet.read_table(self.path / INDEX)

    def shards(self) -> list[Path]:
        """The shard files in order."""
        return [self.path / shard["name"] for shard in self.manifest["shards"]]


@dataclass(frozen=True, slots=True)
class Published:
    """The result of `publish`: the snapshot, and whether it was written now or stood there already."""

    snapshot: Snapshot
    fresh: bool


def publish(
    root: Path,
    name: str,
    samples: Sequence[Sample],
    *,
    recipe: dict[str, Any],
    parents: Sequence[str] = (),
    clips_per_shard: int = 256,
) -> Published:
    """Publish `samples` as the next version of NAME, or find that the newest version holds just these.

    Raises:
        BadInput: the name is not usable as a folder, or there is nothing to publish.
    """
    if not _NAME.fullmatch(name):
        raise BadInput(f"{name!r} cannot name a snapshot", remedy="use lower-case letters, digits, '.', '_', '-'")
    if not samples:
        raise BadInput(f"no clip was accepted, so there is no snapshot {name!r}", remedy="see the funnel for reasons")
    content = _content_digest(samples, recipe, parents, clips_per_shard)
    newest = _versions(root, name)[-1:]
    if newest and newest[0].manifest["content"] == content:
        return Published(newest[0], fresh=False)
    number = newest[0].version + 1 if newest else 1
    staging = root / ".staging" / f"{name}-{content[:16]}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    shards, rows = write_shards(staging, samples, clips_per_shard=clips_per_shard)
    _write_index(staging / INDEX, rows)
    manifest = {
        "schema": SCHEMA_VERSION,
        "id": f"{name}/v{number}",
        "content": content,
        "code_version": installed_version("clapboard"),
        "parents": list(parents),
        "recipe": recipe,
        "counts": {"clips": len(rows), "seconds": sum(row["duration_us"] for row in rows) / 1e6},
        "shards": [asdict(shard) for shard in shards],
        "index_sha256": sha256_of(staging / INDEX),
    }
    (staging / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    final = root / name / f"v{number}"
    final.parent.mkdir(parents=True, exist_ok=True)
    staging.rename(final)
    return Published(Snapshot(final, name, number), fresh=True)


def open_snapshot(root: Path, ref: str) -> Snapshot:
    """The snapshot named `NAME/vN`, or the newest version of `NAME`.

    Raises:
        SnapshotError: there is none; the remedy lists those that exist.
    """
    name, _, number = ref.partition("/")
    found = [one for one in _versions(root, name) if not number or number == f"v{one.version}"]
    if found:
        return found[-1]
    there = ", ".join(one.id for one in list_snapshots(root)) or "none yet"
    raise SnapshotError(f"there is no snapshot {ref!r} in {root}", remedy=f"existing: {there}; see `clapboard curate`")


def list_snapshots(root: Path) -> list[Snapshot]:
    """All snapshots under `root`, by name and version."""
    if not root.is_dir():
        return []
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [one for name in names for one in _versions(root, name)]


def verify(snapshot: Snapshot) -> list[str]:
    """Check every byte against the manifest; returns one sentence per fault, empty when all is well."""
    faults = []
    for shard in snapshot.manifest["shards"]:
        path = snapshot.path / shard["name"]
        if not path.is_file():
            faults.append(f"{shard['name']} is missing")
        elif sha256_of(path) != shard["sha256"]:
            faults.append(f"{shard['name']} changed: sha256 differs from the manifest's")
    index = snapshot.path / INDEX
    if not index.is_file():
        faults.append(f"{INDEX} is missing")
    elif sha256_of(index) != snapshot.manifest["index_sha256"]:
        faults.append(f"{INDEX} changed: sha256 differs from the manifest's")
    return faults


def _versions(root: Path, name: str) -> list[Snapshot]:
    if not _NAME.fullmatch(name):
        return []
    paths = [path for path in (root / name).glob("v*") if path.name[1:].isdigit() and (path / MANIFEST).is_file()]
    return sorted((Snapshot(path, name, int(path.name[1:])) for path in paths), key=lambda one: one.version)


def _content_digest(
    samples: Sequence[Sample], recipe: dict[str, Any], parents: Sequence[str], clips_per_shard: int
) -> str:
    digest = hashlib.sha256(json.dumps([recipe, list(parents), clips_per_shard], sort_keys=True).encode())
    for sample in sorted(samples, key=lambda one: one.record.key):
        for part in (sample.record.to_json(), sample.mp4, sample.flac):
            digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _write_index(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = sorted({name for row in rows for name in row})
    data = {name: [row.get(name) for row in rows] for name in columns}
    fixed = {"verdict": pyarrow.string(), "reasons": pyarrow.list_(pyarrow.string())}
    arrays = {name: pyarrow.array(values, fixed.get(name)) for name, values in data.items()}
    pyarrow.parquet.write_table(pyarrow.table(arrays), path)
