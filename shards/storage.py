"""Where a snapshot is written to: a folder, or an object store; in both it is seen whole or not at all.

A folder is filled aside and renamed. An object store knows no rename, so files are put in place, and the manifest, by
which a snapshot is seen, comes last. There a version is claimed first, for one content: a killed upload of the same
content goes on where it stopped, and another one takes the next number.
"""

import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Protocol

from shards.errors import SnapshotError
from shards.files import sync
from shards.snapshot import MANIFEST, Snapshot, next_version, reaching

CLAIM = ".claim"


class Destination(Protocol):
    """A place for one snapshot in the making; files are made in `staged`, then put."""

    name: str
    version: int
    staged: Path

    def shard_name(self, number: int, plan: str) -> str:
        """What a new shard is called; `plan` is a digest of what will be in it."""
        ...

    def put(self, file: str) -> None:
        """A staged file is ready."""
        ...

    def share(self, older: Snapshot, shard: str, number: int) -> str:
        """Take over a shard of an older version; returns its name here."""
        ...

    def abandon(self) -> None:
        """Give up; nothing that was staged is kept on this machine."""
        ...

    def commit(self) -> Snapshot:
        """Let the snapshot be seen.

        Raises:
            SnapshotError: somebody else published this version meanwhile.
        """
        ...


def destination(root: Path, name: str, content: str) -> Destination:
    """The place for the next version of NAME under `root`, which will hold `content`."""
    remote = hasattr(root, "fs") and "://" in str(root)
    return ObjectStore(root, name, content) if remote else Folder(root, name, content)


class Folder:
    """A folder of this machine, or of a network disk."""

    def __init__(self, root: Path, name: str, content: str) -> None:
        self.name, self.version, self._root = name, next_version(root, name), root
        self.staged = root / ".staging" / f"{name}-{content[:16]}@{socket.gethostname()}@{os.getpid()}"
        self._forget_dead(root / ".staging")
        shutil.rmtree(self.staged, ignore_errors=True)
        self.staged.mkdir(parents=True)

    def shard_name(self, number: int, plan: str) -> str:  # noqa: ARG002
        """Plain numbers, so that `{000000..000041}.tar` names them all."""
        return f"{number:06d}.tar"

    def put(self, file: str) -> None:
        """It lies where it belongs already."""

    def share(self, older: Snapshot, shard: str, number: int) -> str:
        """A hard link costs no bytes and outlives the older version; where there are none, a copy."""
        name = self.shard_name(number, "")
        try:
            (self.staged / name).hardlink_to(older.file(shard))
        except OSError:
            shutil.copyfile(older.file(shard), self.staged / name)
        return name

    def abandon(self) -> None:
        """Remove what was staged."""
        shutil.rmtree(self.staged, ignore_errors=True)

    def commit(self) -> Snapshot:
        """Rename; a folder that is there already is somebody else's."""
        for path in self.staged.iterdir():
            sync(path)
        final = self._root / self.name / f"v{self.version}"
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.staged.rename(final)
        except OSError as error:
            raise _taken(f"{self.name}/v{self.version}") from error
        sync(final.parent)
        return Snapshot(final, self.name, self.version)

    @staticmethod
    def _forget_dead(staging: Path) -> None:
        """Remove what killed publications of this machine left."""
        for path in staging.glob(f"*@{socket.gethostname()}@*") if staging.is_dir() else ():
            if not _is_alive(int(path.name.rpartition("@")[2])):
                shutil.rmtree(path, ignore_errors=True)


class ObjectStore:
    """A prefix of an object store, through fsspec."""

    def __init__(self, root: Path, name: str, content: str) -> None:
        self.name, self.version = name, next_version(root, name)
        while not _create(root / name / f"v{self.version}" / CLAIM, content.encode()):
            if (root / name / f"v{self.version}" / CLAIM).read_text() == content:
                break
            self.version += 1
        self._final = root / name / f"v{self.version}"
        self._folder = tempfile.TemporaryDirectory(prefix="clapboard-upload-")
        self.staged = Path(self._folder.name)

    def shard_name(self, number: int, plan: str) -> str:
        """A number and what is in it: a file of that name and size need not be sent again."""
        return f"{number:06d}-{plan[:12]}.tar"

    def put(self, file: str) -> None:
        """Send a file; large ones in parts, which the store shows as one when all are there."""
        here, there = self.staged / file, self._final / file
        is_shard = file.endswith(".tar")
        with reaching(there):
            if not (is_shard and _size(there) == here.stat().st_size):
                there.fs.put_file(str(here), there.path)  # type: ignore[attr-defined]
        if is_shard:
            here.unlink()

    def share(self, older: Snapshot, shard: str, number: int) -> str:  # noqa: ARG002
        """A reference: not a byte is copied."""
        return shard if shard.startswith("../") else f"../v{older.version}/{shard}"

    def abandon(self) -> None:
        """Shards that were sent stay: the next try finds them."""
        self._folder.cleanup()

    def commit(self) -> Snapshot:
        """Make the manifest, unless there is one: the store itself decides between two that try."""
        made = _create(self._final / MANIFEST, (self.staged / MANIFEST).read_bytes())
        (self._final / CLAIM).unlink(missing_ok=True)
        self._folder.cleanup()
        if not made:
            raise _taken(f"{self.name}/v{self.version}")
        return Snapshot(self._final, self.name, self.version)


def _create(path: Path, data: bytes) -> bool:
    """Make an object unless there is one; the store itself decides between two that try at once.

    Raises:
        Unavailable: the store does not let us.
    """
    files = path.fs  # type: ignore[attr-defined]
    files.invalidate_cache()
    try:
        with reaching(path):
            if files.exists(path.path):  # type: ignore[attr-defined]
                return False
            files.pipe_file(path.path, data, mode="create")  # type: ignore[attr-defined]
    except FileExistsError:
        return False
    finally:
        files.invalidate_cache()
    return True


def _size(path: Path) -> int:
    return int(path.stat().st_size) if path.is_file() else -1


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _taken(name: str) -> SnapshotError:
    return SnapshotError(
        f"{name} was published by somebody else meanwhile", remedy="run again; it becomes the next one"
    )
