"""What a backup consists of: backup.json names every file with its digest. And why one may be of no use."""

import hashlib
import json
from enum import StrEnum
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from shards.errors import BadInput
from shards.files import checksums

MANIFEST, SUMS = "backup.json", "SHA256SUMS"
LEDGER, SNAPSHOTS, EMBEDDINGS, HOME = "ledger.sqlite", "snapshots", "embeddings", "home"
"""The ledger's file in a backup, and the folders beside it."""

KEPT = ("last_run.json",)
"""Files of a home that say what was done there, besides the ledger."""

FORMAT = 1
FOLDER_RIGHTS, FILE_RIGHTS = 0o700, 0o600


class BackupFault(StrEnum):
    """Why a backup cannot be made or used."""

    EXISTS = "exists"
    CHANGING = "changing"
    NO_BACKUP = "no_backup"
    DAMAGED = "damaged"
    NEWER = "newer"
    NOT_EMPTY = "not_empty"
    MOUNT_POINT = "mount_point"


class BackupError(BadInput):
    """A backup that cannot be made or used, and why."""

    def __init__(self, fault: BackupFault, message: str, *, remedy: str) -> None:
        super().__init__(message, remedy=remedy)
        self.fault = fault


class FileFact(BaseModel):
    """A file of a backup; with `same_as` its bytes are kept under that name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bytes: int
    sha256: str
    same_as: str | None = None


class BackupFacts(BaseModel):
    """What a backup is a backup of.

    `ledger` is the kind of database that it was read from, `revision` its schema's; `shards` and `embeddings` say
    whether these were taken too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    code_version: str
    made_at: str
    ledger: str
    revision: str
    shards: bool
    embeddings: bool
    snapshots: tuple[str, ...]


class BackupManifest(BaseModel):
    """What backup.json says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = FORMAT
    facts: BackupFacts
    files: dict[str, FileFact]

    @field_validator("files")
    @classmethod
    def _inside(cls, files: dict[str, FileFact]) -> dict[str, FileFact]:
        for name, fact in files.items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or str(path) != name or fact.same_as not in {None, *files}:
                raise ValueError(f"{name!r} is no name of a file in a backup")
        return files

    def to_bytes(self) -> bytes:
        """As the file has it."""
        return (json.dumps(self.model_dump(), indent=1, sort_keys=True) + "\n").encode()

    def sums(self, data: bytes) -> bytes:
        """SHA256SUMS of the backup, whose manifest's bytes these are."""
        kept = {name: fact.sha256 for name, fact in self.files.items() if fact.same_as is None}
        return checksums(kept | {MANIFEST: hashlib.sha256(data).hexdigest()})

    @classmethod
    def of(cls, data: bytes, path: Path) -> "BackupManifest":
        """The manifest of the backup at a path again.

        Raises:
            BackupError: it is none, or of a form that only a newer version knows.
        """
        try:
            told = json.loads(data)
            if isinstance(told, dict) and isinstance(told.get("format"), int) and told["format"] > FORMAT:
                raise BackupError(
                    BackupFault.NEWER,
                    f"{path} was written by a newer version of Clapboard",
                    remedy="pip install --upgrade clapboard",
                )
            return cls.model_validate(told)
        except (ValueError, ValidationError) as error:
            raise damaged(path, f"{MANIFEST} is not readable") from error


def damaged(path: Path, why: str) -> BackupError:
    """A backup that is not what was written."""
    return BackupError(
        BackupFault.DAMAGED,
        f"the backup {path} is damaged: {why}",
        remedy="take another copy of it, or an older backup",
    )
