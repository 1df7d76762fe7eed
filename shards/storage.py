"""Where a snapshot is written to: a folder, or an object store; in both it is seen whole or not at all.

A folder is filled aside and renamed. An object store knows no rename, so files are put in place, and the manifest, by
which a snapshot is seen, comes last. There a version is claimed first, for one content: a killed upload of the same
content goes on where it stopped, and another one takes the next number.
"""

import os
import secrets
import shutil
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from shards.errors import SnapshotError
from shards.files import copy_hashed, is_alive, sha256_of, sync
from shards.snapshot import MANIFEST, Snapshot, next_version, reaching
from shards.verifying import Damaged
from shards.writer import Shard

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

    def share(self, older: Snapshot, shard: Shard, number: int) -> str:
        """Take over a shard of an older version; returns its name here.

        Raises:
            Damaged: it is not what was published.
        """
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


def destination(root: Path, name: str, content: str, *, number: int | None = None) -> Destination:
    """The place for the next version of NAME under `root`, which will hold `content`.

    With `number`, what `next_version` said, it is seen only if nothing else was published since then.
    """
    remote = hasattr(root, "fs") and "://" in str(root)
    return ObjectStore(root, name, content, number) if remote else Folder(root, name, content, number)


class Folder:
    """A folder of this machine, or of a network disk."""

    def __init__(self, root: Path, name: str, content: str, number: int | None) -> None:
        self.name, self.version, self._root = name, number or next_version(root, name), root
        own = f"{name}-{content[:16]}-{secrets.token_hex(4)}@{socket.gethostname()}@{os.getpid()}"
        self.staged = root / ".staging" / own
        self._forget_dead(root / ".staging")
        self.staged.mkdir(parents=True)

    def shard_name(self, number: int, plan: str) -> str:  # noqa: ARG002
        """Plain numbers, so that `{000000..000041}.tar` names them all."""
        return f"{number:06d}.tar"

    def put(self, file: str) -> None:
        """It lies where it belongs already."""

    def share(self, older: Snapshot, shard: Shard, number: int) -> str:
        """A hard link costs no bytes and outlives the older version; where there are none, a copy.

        Either is read once: disks forget, and whoever edits a file may leave its time as it was.
        """
        name, source = self.shard_name(number, ""), older.file(shard.name)
        if not source.is_file():
            raise Damaged(older, f"{shard.name} is missing")
        try:
            (self.staged / name).hardlink_to(source)
            found = sha256_of(self.staged / name)
        except OSError:
            found = copy_hashed(source, self.staged / name)
        if found != shard.sha256:
            raise Damaged(older, f"{shard.name} changed: sha256 differs from the manifest's")
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
            if not is_alive(int(path.name.rpartition("@")[2])):
                shutil.rmtree(path, ignore_errors=True)


class ObjectStore:
    """A prefix of an object store, through fsspec."""

    def __init__(self, root: Path, name: str, content: str, number: int | None) -> None:
        self.name, self._root, self._number = name, root, number
        self.version = _claimed(root / name, content, number or next_version(root, name))
        self._final = root / name / f"v{self.version}"
        self._needed: list[Path] = []
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
        self._needed.append(there)
        if is_shard:
            here.unlink()

    def share(self, older: Snapshot, shard: Shard, number: int) -> str:  # noqa: ARG002
        """A reference: not a byte is copied, and none is read that lies as it lay when the older version was seen."""
        source = older.file(shard.name)
        with reaching(source):
            if _size(source) != shard.bytes:
                raise Damaged(older, f"{shard.name} is missing, or has another size")
            if not _lies_longer(source, than=older.path / MANIFEST) and sha256_of(source) != shard.sha256:
                raise Damaged(older, f"{shard.name} changed: sha256 differs from the manifest's")
        self._needed.append(source)
        return shard.name if shard.name.startswith("../") else f"../v{older.version}/{shard.name}"

    def abandon(self) -> None:
        """Shards that were sent stay, and the next try finds them: unless it will be made of something else."""
        self._folder.cleanup()
        if self._overtaken() and not (self._final / MANIFEST).is_file():
            for path in list(self._final.iterdir()) if self._final.is_dir() else ():
                path.unlink(missing_ok=True)

    def commit(self) -> Snapshot:
        """Make the manifest, unless there is one: the store itself decides between two that try."""
        # A take-down meanwhile may have removed what an older version shared.
        if self._overtaken() or not all(path.is_file() for path in self._needed):
            raise _taken(f"{self.name}/v{self.version}")
        made = _create(self._final / MANIFEST, (self.staged / MANIFEST).read_bytes())
        (self._final / CLAIM).unlink(missing_ok=True)
        self._folder.cleanup()
        if not made:
            raise _taken(f"{self.name}/v{self.version}")
        return Snapshot(self._final, self.name, self.version)

    def _overtaken(self) -> bool:
        """Whether another version came where none was to come in between."""
        return self._number is not None and next_version(self._root, self.name) != self._number


def _claimed(folder: Path, content: str, number: int) -> int:
    """The first number from `number` on that is ours, or that an upload of the same content was killed at."""
    while True:
        version = folder / f"v{number}"
        ours = _create(version / CLAIM, content.encode())
        if ours and not (version / MANIFEST).is_file():
            return number
        if ours:
            # It was published, and its claim given up, since we looked.
            (version / CLAIM).unlink(missing_ok=True)
        else:
            with suppress(FileNotFoundError):
                if (version / CLAIM).read_text() == content:
                    return number
        number += 1


def _lies_longer(path: Path, *, than: Path) -> bool:
    """Whether an object was last written before another; the same second is not before."""
    files = path.fs  # type: ignore[attr-defined]
    try:
        return bool(files.modified(path.path) < files.modified(than.path))  # type: ignore[attr-defined]
    except NotImplementedError:
        return False


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


def _taken(name: str) -> SnapshotError:
    return SnapshotError(
        f"{name} was published by somebody else meanwhile", remedy="run again; it becomes the next one"
    )
