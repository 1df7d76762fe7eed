"""Small honest file operations: digests, and writes that are seen whole or not at all."""

import errno
import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from shards.errors import BadInput

CHUNK = 1 << 20

TROUBLE = {
    errno.ENOSPC: ("there is no room left", "free some space, then run the same command again"),
    errno.EDQUOT: ("no more may be written", "free some space, then run the same command again"),
    errno.EROFS: ("it is mounted read-only", "mount it so that it can be written, or name another place"),
    errno.EACCES: ("this user may not", "check the rights of it and of its folders, or name another place"),
    errno.EPERM: ("this user may not", "check the rights of it and of its folders, or name another place"),
    errno.EIO: ("the disk fails", "check the disk, then run the same command again"),
}
"""What a system says of a disk and of rights, in words, and what mends it."""


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(digests: Mapping[str, str]) -> bytes:
    """A file as `sha256sum --check` reads it, from hex digests by file name."""
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode()


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` aside and rename, so that a reader or a crash never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_native_id()}.tmp")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        # On a full disk the half that was written must not stay; and what fails in writing names no file.
        aside.unlink(missing_ok=True)
        error.filename = error.filename or str(path)
        raise


def sync(path: Path) -> None:
    """Have the system write a file or a folder's list of names to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def told(error: OSError) -> BadInput | None:
    """Trouble with a disk or with rights as a sentence; None for other errors of the system."""
    if error.errno not in TROUBLE:
        return None
    why, remedy = TROUBLE[error.errno]
    where = f"{error.filename or 'a file'} cannot be read or written"
    return BadInput(f"{where}: {why} ({error.strerror})", remedy=remedy)
