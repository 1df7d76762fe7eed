"""Published weights of encoders: found or said to be missing, versioned by their digest."""

import hashlib
from pathlib import Path

from shards.errors import Unavailable
from shards.files import sha256_of
from shards.weights import find, known, require


def found(path: Path | None, *, name: str, source: str) -> Path:
    """The file or folder that was named, else the fetched one of that name.

    Raises:
        Unavailable: it is not there.
    """
    if path is None and any(one.name == name for one in known()):
        return _fetched(name)
    if path is None or not path.exists():
        raise Unavailable(
            f"the weights of {name} are not on this machine" if path is None else f"there is no {path}",
            remedy=f"get them from {source} and say where: --set 'encoders=[{{name: {name}, weights: PATH}}]'",
        )
    return path


def _fetched(name: str) -> Path:
    """The one file of a set of weights."""
    try:
        folder = require(name)
    except Unavailable as error:
        raise Unavailable(
            f"the weights of {name} are not on this machine",
            remedy=f"{error.remedy}; or say where: --set 'encoders=[{{name: {name}, weights: PATH}}]'",
        ) from error
    pattern = find(name).files[0].name
    return next(path for path in sorted(folder.glob(pattern)) if path.is_file())


def digest_of(path: Path) -> str:
    """A digest of a file, or of a folder's configuration and safetensors."""
    if path.is_dir():
        parts = [sha256_of(file) for file in sorted(path.glob("*.json")) + sorted(path.glob("*.safetensors"))]
        return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]
    return sha256_of(path)[:16]
