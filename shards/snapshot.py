"""Snapshots: named, versioned, immutable data sets that are seen whole or not at all.

    ROOT/NAME/vN/  000000.tar ...  index.parquet  snapshot.json  SHA256SUMS

ROOT is a folder, or a prefix of an object store (`s3://bucket/prefix`). Folders are plain: `webdataset`, `pyarrow` and
`sha256sum --check SHA256SUMS` read them without Clapboard.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from shards.errors import BadInput, ClapboardError, SnapshotError, Unavailable
from shards.files import sha256_of

MANIFEST = "snapshot.json"
INDEX = "index.parquet"
SUMS = "SHA256SUMS"
WITHDRAWN = "withdrawn.json"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")

_HOW_TO_MAKE = {
    "auto": "`clapboard curate` makes it",
    "curated": "people make it: `clapboard review serve` to look at clips, then `clapboard publish`",
}


@dataclass(frozen=True)
class Snapshot:
    """A published snapshot; `id` is "NAME/vN" and `digest` the sha256 of its manifest."""

    path: Path
    name: str
    version: int

    @property
    def id(self) -> str:
        """The name that training pins, e.g. "auto/v1"."""
        return f"{self.name}/v{self.version}"

    @property
    def is_seen(self) -> bool:
        """Whether it is there, and was not withdrawn."""
        return (self.path / MANIFEST).is_file()

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The parsed snapshot.json.

        Raises:
            SnapshotError: it is no JSON any more.
        """
        try:
            return dict(json.loads((self.path / MANIFEST).read_text(encoding="utf-8")))
        except ValueError as error:
            raise SnapshotError(
                f"the manifest of {self.id} changed: {error}", remedy=f"clapboard snapshot verify {self.id}"
            ) from error

    @cached_property
    def digest(self) -> str:
        """sha256 of snapshot.json, which itself holds the sha256 of everything else."""
        return sha256_of(self.path / MANIFEST)

    def index(self, columns: list[str] | None = None) -> Any:
        """The index as a `pyarrow.Table`, one row per clip in the order of the shards."""
        import pyarrow.parquet

        with self.file(INDEX).open("rb") as file:
            return pyarrow.parquet.read_table(file, columns=columns)

    def shards(self) -> list[Path]:
        """The shard files in order."""
        return [self.file(shard["name"]) for shard in self.manifest["shards"]]

    def shard_sizes(self) -> list[int]:
        """How many clips each shard holds, in the order of the index."""
        return [int(shard["clips"]) for shard in self.manifest["shards"]]

    def file(self, name: str) -> Path:
        """A file by its name in the manifest or index; `../vM/...` lies in an older version that shares it."""
        return self.path.parent / name[3:] if name.startswith("../") else self.path / name


def place(root: str | Path) -> Path:
    """A folder, or a prefix of an object store by its URL, as a path; nothing is asked of the store yet.

    Raises:
        BadInput: a kind of store that nobody here knows, or one whose package is not installed.
    """
    if "://" not in str(root):
        return Path(root)
    try:
        from upath import UPath

        remote: Path = UPath(root)  # type: ignore[assignment]  # it is a Path in all but its type
        return remote
    except ImportError as error:
        raise _lacks_package(root, error) from error
    except ValueError as error:
        raise BadInput(
            f"snapshots cannot lie in {root}: {error}",
            remedy="name a folder or an s3://BUCKET/PREFIX; check CLAPBOARD_SNAPSHOTS",
        ) from error


def is_remote(path: Path) -> bool:
    """Whether it lies in an object store, not in a folder."""
    return "://" in str(path)


@contextmanager
def reaching(path: Path) -> Iterator[None]:
    """Say what a store's own errors mean: it cannot be reached, or refuses us. Folders speak for themselves.

    Raises:
        BadInput: the store's package is not installed.
        Unavailable: the store does not answer, or not to us.
    """
    try:
        yield
    except (ClapboardError, FileExistsError):
        raise
    except ImportError as error:
        raise _lacks_package(path, error) from error
    except Exception as error:  # each kind of store has errors of its own, most of them no OSError
        if not is_remote(path):
            raise
        said = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise Unavailable(
            f"the object store {path} cannot be used: {said}", remedy=_what_a_store_needs(path)
        ) from error


def _lacks_package(root: str | Path, error: ImportError) -> BadInput:
    in_s3 = str(root).startswith(("s3:", "s3a:"))
    remedy = 'pip install "clapboard[s3]"' if in_s3 else "install the package that is named"
    return BadInput(f"{root} needs a package: {error}", remedy=remedy)


def _what_a_store_needs(path: Path) -> str:
    if not str(path).startswith(("s3:", "s3a:")):
        return "check the address, the network, and your credentials for it"
    return (
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, of somebody who may read and write there; "
        "AWS_ENDPOINT_URL where the store is not Amazon's; check the bucket's name and the network"
    )


def open_snapshot(root: Path, ref: str) -> Snapshot:
    """The snapshot named `NAME/vN`, or the newest version of `NAME`.

    Raises:
        SnapshotError: there is none, or it was withdrawn; the remedy lists those that exist.
    """
    name, _, number = ref.partition("/")
    found = [one for one in versions(root, name) if not number or number == f"v{one.version}"]
    if found:
        return found[-1]
    if number and is_name(name) and (gone := root / name / number / WITHDRAWN).is_file():
        told = json.loads(gone.read_text(encoding="utf-8"))
        raise SnapshotError(
            f"{ref} was withdrawn: {told['reason']}", remedy=f"use {told['successor'] or 'another snapshot'}"
        )
    there = ", ".join(one.id for one in list_snapshots(root)) or "none yet"
    how = _HOW_TO_MAKE.get(name, "`clapboard curate` makes auto, `clapboard publish` curated")
    raise SnapshotError(f"there is no snapshot {ref!r} in {root}", remedy=f"existing: {there}; {how}")


def list_snapshots(root: Path) -> list[Snapshot]:
    """All snapshots under `root`, by name and version."""
    return [one for name in names(root) for one in versions(root, name)]


def names(root: Path) -> list[str]:
    """The names under `root`, in order."""
    with reaching(root):
        if not root.is_dir():
            return []
        return sorted(path.name for path in root.iterdir() if is_name(path.name) and path.is_dir())


def versions(root: Path, name: str) -> list[Snapshot]:
    """The versions of a name that are there, oldest first."""
    return [Snapshot(path, name, number) for number, path in _folders(root, name) if (path / MANIFEST).is_file()]


def next_version(root: Path, name: str) -> int:
    """The number that the next version gets; withdrawn ones keep theirs."""
    taken = [
        number for number, path in _folders(root, name) if (path / MANIFEST).is_file() or (path / WITHDRAWN).is_file()
    ]
    return max(taken, default=0) + 1


def withdrawn(root: Path, name: str) -> list[Path]:
    """The notes on the withdrawn versions of a name."""
    return [path / WITHDRAWN for _, path in _folders(root, name) if (path / WITHDRAWN).is_file()]


def is_name(name: str) -> bool:
    """Whether a snapshot may be called that."""
    return bool(_NAME.fullmatch(name))


def _folders(root: Path, name: str) -> list[tuple[int, Path]]:
    folder = root / name
    with reaching(root):
        if files := getattr(root, "fs", None):
            # What others published since this process last looked.
            files.invalidate_cache()
        if not is_name(name) or not folder.is_dir():
            return []
        return sorted((int(path.name[1:]), path) for path in folder.iterdir() if re.fullmatch(r"v[1-9]\d*", path.name))
