"""Small honest file operations: digests, and writes that are seen whole or not at all."""

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

CHUNK = 1 << 20


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
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError:
        # On a full disk the half that was written must not stay.
        aside.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Have the system write a file or a folder's list of names to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
