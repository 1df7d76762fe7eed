"""Published weights of encoders: found or said to be missing, versioned by their digest."""

import hashlib
from pathlib import Path

from shards.errors import Unavailable
from shards.files import sha256_of


def found(path: Path | None, *, name: str, source: str) -> Path:
    """The file or folder, if it is there.

    Raises:
        Unavailable: none was named, or it is not there.
    """
    if path is None or not path.exists():
        raise Unavailable(
            f"the weights of {name} are not on this machine" if path is None else f"there is no {path}",
            remedy=f"get them from {source} and say where: --set 'encoders=[{{name: {name}, weights: PATH}}]'",
        )
    return path


def digest_of(path: Path) -> str:
    """A digest of a file, or of a folder's configuration and safetensors."""
    if path.is_dir():
        parts = [sha256_of(file) for file in sorted(path.glob("*.json")) + sorted(path.glob("*.safetensors"))]
        return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]
    return sha256_of(path)[:16]
