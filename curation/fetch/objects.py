"""Fetch from object stores and out of tars: the same promise as for links, whole or not at all, under our own name."""

import re
import tarfile
import time
from pathlib import Path, PurePosixPath
from typing import IO, Any

from curation.fetch.failures import FetchFailure
from curation.fetch.settings import FetchSettings
from curation.fetch.site import Fetched, SiteFacts, fetched
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


def store(link: str) -> tuple[Any, str]:
    """The fsspec file system behind a link, and the path in it.

    Raises:
        Unavailable: its package is not installed.
    """
    import fsspec

    scheme = link.partition("://")[0]
    try:
        files, path = fsspec.core.url_to_fs(link)
    except ImportError as error:
        raise Unavailable(f"{scheme}:// needs a package: {error}", remedy=f"pip install '{STORES[scheme]}'") from error
    return files, path


def fetch_object(link: str, *, into: Path, name: str, settings: FetchSettings) -> Fetched:
    """Copy an object to `into/name.EXT`.

    Raises:
        FetchFailure: it is not there, may not be read, is too large or no media.
        Unavailable: the package for that store is not installed.
    """
    start = time.perf_counter()
    files, path = store(link)
    try:
        with files.open(path, "rb", cache_type="none") as source:
            file = _copy(source, into, name, PurePosixPath(path).suffix, settings)
    except FetchFailure:
        raise
    except FileNotFoundError as error:
        raise FetchFailure(Outcome.NOT_FOUND, f"there is no object {link}") from error
    except PermissionError as error:
        raise FetchFailure(Outcome.FORBIDDEN, str(error)) from error
    except TimeoutError as error:
        raise FetchFailure(Outcome.TIMED_OUT, str(error)) from error
    except OSError as error:
        outcome = Outcome.DISK_FULL if error.errno == 28 else Outcome.UNREACHABLE
        raise FetchFailure(outcome, str(error)) from error
    return fetched(file, SiteFacts(extractor="object store", webpage_url=link), start)


def take_member(tar: Path, member: str, *, into: Path, name: str, settings: FetchSettings) -> Fetched:
    """Copy one member of a tar to `into/name.EXT`; nothing else of the tar is unpacked.

    Raises:
        FetchFailure: there is no such tar or regular member, it is too large or no media.
    """
    start = time.perf_counter()
    try:
        with tarfile.open(tar, "r:") as archive:
            info = archive.getmember(member)
            source = archive.extractfile(info) if info.isreg() else None
            if source is None:
                raise FetchFailure(Outcome.NOT_A_VIDEO, f"{member} of {tar} is no file")
            file = _copy(source, into, name, PurePosixPath(member).suffix, settings)
    except KeyError as error:
        raise FetchFailure(Outcome.FILE_MISSING, f"there is no {member} in {tar}") from error
    except (OSError, tarfile.TarError) as error:
        raise FetchFailure(Outcome.FILE_MISSING, f"{tar} cannot be read: {error}") from error
    return fetched(file, SiteFacts(), start)


def _copy(source: IO[bytes], into: Path, name: str, suffix: str, settings: FetchSettings) -> Path:
    ending = suffix.lower() if _SUFFIX.fullmatch(suffix.lower()) else ""
    part, file = into / f"{name}.part", into / f"{name}{ending}"
    copied = 0
    try:
        with part.open("wb") as target:
            while block := source.read(BLOCK):
                copied += len(block)
                if copied > settings.max_bytes:
                    raise FetchFailure(Outcome.TOO_LARGE, f"more than {settings.max_bytes} bytes")
                target.write(block)
        check_media(part)
        return part.replace(file)
    finally:
        part.unlink(missing_ok=True)
