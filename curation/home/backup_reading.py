"""Read a backup: a folder or a .tar, every byte of which is compared with its digest while it is copied."""

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from curation.home.backup_files import (
    FILE_RIGHTS,
    FOLDER_RIGHTS,
    MANIFEST,
    SUMS,
    BackupError,
    BackupFault,
    BackupManifest,
    FileFact,
    damaged,
)
from shards.files import CHUNK

Opener = Callable[[str], BinaryIO]
"""Opens a file of a backup by its name; KeyError and OSError where there is none."""


class BackupReader:
    """A backup that says that it is whole; its files are checked when they are copied."""

    def __init__(self, path: Path, open_file: Opener) -> None:
        """The backup at a path.

        Raises:
            BackupError: it is none, is damaged, or of a newer version.
        """
        self._path, self._open = path, open_file
        told, sums = self._whole(MANIFEST), self._whole(SUMS)
        self.manifest = BackupManifest.of(told, path)
        if sums != self.manifest.sums(told):
            raise damaged(path, f"{MANIFEST} and {SUMS} do not agree")

    def copy(self, name: str, to: Path) -> None:
        """Copy a file, with rights for us alone.

        Raises:
            BackupError: it is missing, or not what was written.
        """
        fact = self.manifest.files[name]
        to.parent.mkdir(mode=FOLDER_RIGHTS, parents=True, exist_ok=True)
        digest = hashlib.sha256()
        # A disk that is full is no damage of the backup: only what is said of reading is.
        target = os.fdopen(os.open(to, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_RIGHTS), "wb")
        with target, self._opened(fact.same_as or name) as source:
            while piece := self._read(source, name):
                digest.update(piece)
                target.write(piece)
        if digest.hexdigest() != fact.sha256 or to.stat().st_size != fact.bytes:
            raise damaged(self._path, f"{name} changed")

    def names_below(self, folder: str) -> list[str]:
        """The files in a folder of the backup and in those below it, in order."""
        return sorted(name for name in self.manifest.files if name.startswith(f"{folder}/"))

    def fact(self, name: str) -> FileFact:
        """What the manifest says of a file."""
        return self.manifest.files[name]

    def _opened(self, name: str) -> BinaryIO:
        try:
            return self._open(name)
        except (KeyError, OSError, tarfile.TarError) as error:
            raise damaged(self._path, f"{name} is missing") from error

    def _read(self, source: BinaryIO, name: str) -> bytes:
        try:
            return source.read(CHUNK)
        except (OSError, tarfile.TarError) as error:
            raise damaged(self._path, f"{name} cannot be read") from error

    def _whole(self, name: str) -> bytes:
        try:
            with self._open(name) as file:
                return file.read()
        except (KeyError, OSError, tarfile.TarError) as error:
            raise BackupError(
                BackupFault.NO_BACKUP,
                f"{self._path} is no backup, or not a whole one: {name} is missing",
                remedy="name what `clapboard backup OUT` made",
            ) from error


@contextmanager
def reading(path: Path) -> Iterator[BackupReader]:
    """Open a backup.

    Raises:
        BackupError: it is none, is damaged, or of a newer version.
    """
    if path.is_dir():
        yield BackupReader(path, lambda name: (path / name).open("rb"))
        return
    with _tar(path) as tar:
        yield BackupReader(path, lambda name: _member(tar, name))


@contextmanager
def _tar(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        tar = tarfile.open(path, "r:")  # noqa: SIM115
        with suppress(tarfile.TarError):
            tar.getmembers()  # where it was cut short, what is missing will be told by name
    except (OSError, tarfile.TarError) as error:
        why = "is not there" if not path.exists() else "is no backup"
        raise BackupError(
            BackupFault.NO_BACKUP,
            f"{path} {why}",
            remedy="name the folder or the .tar that `clapboard backup OUT` made",
        ) from error
    with tar:
        yield tar


def _member(tar: tarfile.TarFile, name: str) -> BinaryIO:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file  # type: ignore[return-value]  # a buffered reader is one
