"""How long a file says it is, and whether to believe it: a header may lie, or alone tell that a file is torn."""

from pathlib import Path
from typing import Any

from curation.media.boxes import boxes

MEASURED = ("mpegts", "mpeg", "ogg")
"""Demuxers that know no length but what they find at the file's end."""


def declared_us(stream: Any, path: Path) -> tuple[int, bool]:
    """The length that a file declares, 0 if it need not be believed; and whether it is that of the stream alone.

    Where the container says in another way that nothing is missing, its header is not asked: an MP4 file's index lists
    every packet, and a Matroska segment and an AVI file say how many bytes they have.
    """
    demuxer = stream.container.format.name
    if "mp4" in demuxer and stream.duration:
        listed = len(stream.index_entries) and all(box.kind != b"moof" for box in boxes(path))
        return 0 if listed else round(stream.duration * stream.time_base * 1_000_000), True
    whole = demuxer in MEASURED or _bytes_are_whole(path)
    return 0 if whole else stream.container.duration or 0, False


def _bytes_are_whole(path: Path) -> bool:
    """Whether a Matroska segment or an AVI file has as many bytes as it says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(1024)
    if head[:4] == b"RIFF":
        return 0 < int.from_bytes(head[4:8], "little") + 8 <= size
    if head[:4] != b"\x1aE\xdf\xa3":
        return False
    ebml, at = _vint(head, 4)
    at += ebml or 0
    if head[at : at + 4] != b"\x18S\x80g":
        return False
    segment, at = _vint(head, at + 4)
    return bool(segment) and at + (segment or 0) <= size


def _vint(data: bytes, at: int) -> tuple[int | None, int]:
    """A length of EBML (RFC 8794, 4) at a place, None if it is unknown, and where it ends."""
    width = 9 - data[at].bit_length() if at < len(data) else 9
    value = int.from_bytes(data[at : at + width]) & (1 << 7 * width) - 1
    return None if value == (1 << 7 * width) - 1 else value, at + width
