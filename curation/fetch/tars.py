"""Tars of strangers, member by member: what a header claims is looked at before it is believed.

`tarfile` reads a member's long name, its pax records and its map of holes into memory as long as they say they are,
and takes a damaged header for the end. Here a header may cost so many bytes and no more, and an end is an end only
where a tar has one.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, BinaryIO

HEADER_BYTES = 1 << 20
"""Most bytes that are read about one member [ours]; a path may have 4,096."""

BEHIND_BYTES = 1 << 20
"""How far behind a tar's end another one is looked for [ours]; `tar` fills up to 10,240, other programs to more."""

_BLOCK = tarfile.BLOCKSIZE


class BadTar(Exception):
    """A tar that is none, breaks off, or claims what nobody would."""


class Kind(Enum):
    """What a member is."""

    FILE = "a file"
    SPARSE = "a file with holes"
    FOLDER = "a folder"
    OTHER = "a link or a device"


@dataclass(frozen=True, slots=True)
class Member:
    """A member: the place and length of its bytes, and its position among all, counted from 1."""

    name: str
    kind: Kind
    number: int
    offset: int
    size: int


def members(file: BinaryIO) -> Iterator[Member]:
    """The members of a tar, and of tars that were put behind it, in order.

    Raises:
        BadTar: behind the last whole member, whatever is wrong there.
    """
    length, number = file.seek(0, 2), 0
    at: int | None = 0
    while at is not None:
        header = _Header(file)
        archive = _opened(header, at)
        while (found := _next(archive, header)) is not None:
            number += 1
            member = Member(found.name, _kind(found), number, found.offset_data, found.size)
            if found.size < 0 or (member.kind is Kind.FILE and member.offset + member.size > length):
                raise BadTar(f"it breaks off in {member.name}")
            yield member
        at = _behind(file, archive.offset)


def read_member(file: BinaryIO, member: Member, most: int) -> bytes:
    """The first bytes of a member, at most so many."""
    file.seek(member.offset)
    return file.read(min(member.size, most))


class _Header:
    """The file as `tarfile` sees it: seekable, but no header is longer than can be."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.left = HEADER_BYTES

    def read(self, size: int) -> bytes:
        if not 0 <= size <= self.left:
            raise BadTar(f"a member's header claims more than {HEADER_BYTES} bytes")
        self.left -= size
        return self._file.read(size)

    def seek(self, position: int) -> int:
        return self._file.seek(position)

    def tell(self) -> int:
        return self._file.tell()


def _opened(header: _Header, at: int) -> Any:
    header.seek(at)
    try:
        return tarfile.TarFile(fileobj=header, errors="surrogateescape", encoding="utf-8")  # type: ignore[arg-type]
    except BadTar:
        raise
    except Exception as error:
        # Fields that make no sense make `tarfile` raise whatever Python raises over them.
        raise BadTar(str(error) or type(error).__name__) from error


def _next(archive: Any, header: _Header) -> tarfile.TarInfo | None:
    # The first member was read when the archive was opened, and is handed out now.
    before = -1 if archive.members else archive.offset
    header.left = HEADER_BYTES
    try:
        found: tarfile.TarInfo | None = archive.next()
    except BadTar:
        raise
    except Exception as error:
        raise BadTar(str(error) or type(error).__name__) from error
    if found is not None and archive.offset <= before:
        raise BadTar("a member's length leads back")
    # It would keep what it found, and what headers say for all members.
    archive.members.clear()
    archive.pax_headers = {}
    return found


def _behind(file: BinaryIO, end: int) -> int | None:
    """Where another tar begins behind the end of one, if one does.

    Raises:
        BadTar: `end` is none.
    """
    file.seek(end)
    block = file.read(_BLOCK)
    if not block:
        return None
    if any(block) or len(block) < _BLOCK:
        raise BadTar(f"it breaks off at byte {end}")
    rest = file.read(BEHIND_BYTES)
    used = len(rest) - len(rest.lstrip(b"\0"))
    return None if used == len(rest) else end + _BLOCK + used // _BLOCK * _BLOCK


def _kind(found: tarfile.TarInfo) -> Kind:
    if found.issparse():
        return Kind.SPARSE
    if found.isreg():
        return Kind.FILE
    return Kind.FOLDER if found.isdir() else Kind.OTHER
