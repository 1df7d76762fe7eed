"""Small honest file operations: digests, and writes that are seen whole or not at all."""

import errno
import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from shards.errors import BadInput

CHUNK = 1 << 20

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says of a disk, or of what a user may have of it, that is used up."""

TROUBLE = {
    errno.ENOSPC: ("there is no room left", "free some space, then run the same command again"),
    errno.EDQUOT: ("no more may be written", "free some space, then run the same command again"),
    errno.EROFS: ("it is mounted read-only", "mount it so that it can be written, or name another place"),
    errno.EACCES: ("this user may not", "check the rights of it and of its folders, or name another place"),
    errno.EPERM: ("this user may not", "check the rights of it and of its folders, or name another place"),
    errno.EIO: ("the disk fails", "check the disk, then run the same command again"),
}
"""What a system says of a disk and of rights, in words, and what mends it."""


def sha256_of(path: Path, *, between: Callable[[], None] | None = None) -> str:
    """Hex sha256 of a file's bytes; `between` is called after each mebibyte, and may end it by an error."""
    digest, block = hashlib.sha256(), bytearray(CHUNK)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(block):
            digest.update(memoryview(block)[:count])
            if between:
                between()
    return digest.hexdigest()


def checksums(digests: Mapping[str, str]) -> bytes:
    """A file as `sha256sum --check` reads it, from hex digests by file name."""
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode()


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` aside and rename, so that a reader or a crash never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_native_id()}.tmp")
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


def append_line(path: Path, line: bytes) -> None:
    """Add a line to a file; it is on the disk when this returns. Any number of processes may do so at once."""
    fresh = not path.exists()
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        size = os.fstat(handle).st_size
        # What a machine that failed in the middle of a line left must not swallow this one.
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        data = (b"\n" if torn else b"") + line + b"\n"
        # In one piece, which the system puts behind whatever others appended.
        if os.write(handle, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(handle)
    finally:
        os.close(handle)
    if fresh:
        sync(path.parent)


def copy_hashed(source: Path, target: Path) -> str:
    """Copy a file and return the hex sha256 of its bytes, which are read once."""
    digest = hashlib.sha256()
    with source.open("rb") as here, target.open("wb") as there:
        while piece := here.read(CHUNK):
            digest.update(piece)
            there.write(piece)
    return digest.hexdigest()


def is_alive(pid: int) -> bool:
    """Whether there is a process of that number on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


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
