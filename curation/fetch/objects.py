"""Fetch from object stores and out of tars: the same promise as for links, whole or not at all, under our own name."""

import errno
import re
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

from curation.fetch.classify import classify
from curation.fetch.failures import FetchFailure
from curation.fetch.settings import FetchSettings
from curation.fetch.site import Fetched, SiteFacts, fetched
from curation.fetch.tars import BadTar, Kind, Member, members
from curation.fetch.watch import check_media
from curation.outcomes import Outcome
from shards.errors import Unavailable

STORES = {"s3": "clapboard[s3]", "gs": "gcsfs", "az": "adlfs"}
"""Object stores by the scheme of their links, and the package that each needs."""

BLOCK = 1 << 20
_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


def is_object(link: str) -> bool:
    """Whether a link leads into an object store."""
    scheme, found, _ = link.partition("://")
    return bool(found) and scheme in STORES


def store(link: str, *, timeout_s: float = 60.0) -> tuple[Any, str]:
    """The fsspec file system behind a link, and the path in it.

    Raises:
        FetchFailure: `BAD_LINK`: it is no link into an object store.
        Unavailable: its package is not installed.
    """
    import fsspec

    # fsspec opens local files too, and "a::b" as b seen through a.
    if not is_object(link) or "::" in link:
        raise FetchFailure(Outcome.BAD_LINK, f"{link} is no link into an object store")
    scheme = link.partition("://")[0]
    timeouts = {"config_kwargs": {"connect_timeout": timeout_s, "read_timeout": timeout_s}}
    try:
        files, path = fsspec.core.url_to_fs(link, **(timeouts if scheme == "s3" else {}))
    except ImportError as error:
        raise Unavailable(f"{scheme}:// needs a package: {error}", remedy=f"pip install '{STORES[scheme]}'") from error
    return files, path


def fetch_object(link: str, *, into: Path, name: str, settings: FetchSettings) -> Fetched:
    """Copy an object to `into/name.EXT`.

    Raises:
        FetchFailure: it is not there, may not be read, comes too slowly, is too large or no media.
        Unavailable: the package for that store is not installed.
    """
    start = time.perf_counter()
    files, path = store(link, timeout_s=settings.timeout_s)
    try:
        with files.open(path, "rb", cache_type="none") as source:
            file = _copy(source, into, name, PurePosixPath(path).suffix, settings)
    except FetchFailure:
        raise
    except FileNotFoundError as error:
        raise FetchFailure(Outcome.NOT_FOUND, f"there is no object {link}") from error
    except PermissionError as error:
        raise FetchFailure(Outcome.FORBIDDEN, str(error)) from error
    except Exception as error:
        # Each store's package raises its own, not all of them an OSError.
        raise FetchFailure(classify(error, str(error)), str(error) or type(error).__name__) from error
    return fetched(file, SiteFacts(extractor="object store", webpage_url=link), start)


def take_member(tar: Path, member: str, *, into: Path, name: str, settings: FetchSettings) -> Fetched:
    """Copy one member of a tar to `into/name.EXT`; nothing else of the tar is unpacked.

    Raises:
        FetchFailure: there is no such tar or regular member, it is too large or no media.
    """
    start = time.perf_counter()
    try:
        status = tar.stat()
        found = _members(tar, status.st_mtime_ns, status.st_size)[member]
        with tar.open("rb") as archive:
            if found.kind is not Kind.FILE:
                raise FetchFailure(Outcome.NOT_A_VIDEO, f"{member} of {tar} is no file")
            file = _copy(_Part(archive, found), into, name, PurePosixPath(member).suffix, settings)
    except KeyError as error:
        raise FetchFailure(Outcome.FILE_MISSING, f"there is no {member} in {tar}") from error
    except (OSError, BadTar) as error:
        outcome = Outcome.DISK_FULL if getattr(error, "errno", None) == errno.ENOSPC else Outcome.FILE_MISSING
        raise FetchFailure(outcome, f"{tar} cannot be read: {error}") from error
    return fetched(file, SiteFacts(), start)


@lru_cache(maxsize=8)
def _members(tar: Path, _mtime_ns: int, _size: int) -> dict[str, Member]:
    """A tar's members by name. Kept, as a shard of ten thousand would else be read through for each of them."""
    found: dict[str, Member] = {}
    # What stands before the place where a tar breaks off is whole.
    with tar.open("rb") as archive, suppress(BadTar):
        for member in members(archive):
            found.setdefault(member.name, member)
    return found


class _Part:
    """A member's bytes."""

    def __init__(self, archive: BinaryIO, member: Member) -> None:
        self._archive, self._left = archive, member.size
        archive.seek(member.offset)

    def read(self, size: int) -> bytes:
        block = self._archive.read(min(size, self._left))
        if not block and self._left:
            raise BadTar("it breaks off")
        self._left -= len(block)
        return block


class _Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _copy(source: _Source, into: Path, name: str, suffix: str, settings: FetchSettings) -> Path:
    ending = suffix.lower() if _SUFFIX.fullmatch(suffix.lower()) else ""
    part, file = into / f"{name}.part", into / f"{name}{ending}"
    copied, last = 0, time.monotonic() + settings.deadline_s
    try:
        with part.open("wb") as target:
            while block := source.read(BLOCK):
                if time.monotonic() > last:
                    raise FetchFailure(Outcome.TIMED_OUT, "it was not done at the deadline")
                copied += len(block)
                if copied > settings.max_bytes:
                    raise FetchFailure(Outcome.TOO_LARGE, f"more than {settings.max_bytes} bytes")
                target.write(block)
        check_media(part)
        return part.replace(file)
    finally:
        part.unlink(missing_ok=True)
