"""The boxes of an MP4 file at its top level (ISO 14496-12, 4.2): which there are, and whether they are whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its kind, and whether the file goes on to its end."""

    kind: bytes
    is_whole: bool


def boxes(path: Path) -> Iterator[Box]:
    """The boxes, up to the first that says no length."""
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        while at + 8 <= size:
            file.seek(at)
            header = file.read(16)
            length = int.from_bytes(header[:4])
            if length == 1:
                length = int.from_bytes(header[8:16])
            yield Box(header[4:8], at + length <= size)
            if length < 8:
                return
            at += length
