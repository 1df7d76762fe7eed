"""A large file from an address: over https alone, never more than was agreed, seen whole or not at all.

What came before the connection broke is kept beside the target, and the next try goes on from there.
"""

import hashlib
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO

from shards.errors import Unavailable

SCHEMES = ("https",)
TIMEOUT_S = 60
PIECE = 1 << 20
PARTIAL = "partial"
"""Folder of what is not whole yet: beside the targets a pattern such as `*.pt*` would take it for one."""

Told = Callable[[int, int], None]
"""Bytes here, bytes in all; 0 where the server does not say."""


def fetch_url(url: str, target: Path, *, most_bytes: int, remedy: str, md5: str = "", told: Told | None = None) -> None:
    """Bring the file at `url` to `target`.

    Raises:
        Unavailable: it does not come, comes short, is larger than `most_bytes`, does not have the digest that begins
            with `md5`, or its address is not https.
    """
    aside = target.parent / PARTIAL / target.name
    aside.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _open(url, begin=aside.stat().st_size if aside.is_file() else 0) as answer:
            begin = _begin(answer)
            total = begin + int(answer.headers.get("Content-Length") or 0)
            if total > most_bytes:
                raise _Refused(
                    f"it has {total >> 20} MiB, more than the {most_bytes >> 20} that it should have at most"
                )
            with aside.open("r+b" if begin else "wb") as file:
                file.seek(begin)
                here = _copy(answer, file, total, most_bytes, told)
        if total > begin and here != total:
            raise _Refused(f"it ended after {here} of {total} bytes")
        _compare(aside, md5)
    except (OSError, HTTPException, _Refused) as error:
        reason = str(error) or type(error).__name__
        raise Unavailable(f"{url} did not come: {reason}", remedy=remedy) from error
    aside.replace(target)
    with suppress(OSError):  # another file may be on its way
        aside.parent.rmdir()


class _Refused(Exception):
    """What came is not what was agreed."""


def _compare(aside: Path, md5: str) -> None:
    """A wrong file must not be gone on from."""
    with aside.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if not found.startswith(md5):
        aside.unlink()
        raise _Refused(f"it is another file than its authors describe: md5 {found}, not {md5}...")


class _SameSchemes(urllib.request.HTTPRedirectHandler):
    """Follows no redirect away from https."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        _check(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str, *, begin: int) -> HTTPResponse:
    _check(url)
    request = urllib.request.Request(url, headers={"Range": f"bytes={begin}-"} if begin else {})
    opener = urllib.request.build_opener(_SameSchemes)
    try:
        answer: HTTPResponse = opener.open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        # What is kept is as long as the file, or longer: it is fetched anew.
        if error.code != 416 or not begin:
            raise
        return _open(url, begin=0)
    return answer


def _check(url: str) -> None:
    if url.partition("://")[0] not in SCHEMES:
        raise _Refused(f"{url} is no address of https")


def _begin(answer: HTTPResponse) -> int:
    """Where the bytes that come belong: a server that knows no ranges begins anew."""
    said = answer.headers.get("Content-Range", "")
    return int(said.removeprefix("bytes ").partition("-")[0]) if answer.status == 206 else 0


def _copy(answer: HTTPResponse, file: IO[bytes], total: int, most_bytes: int, told: Told | None) -> int:
    """Where the file ends now."""
    while piece := answer.read(PIECE):
        file.write(piece)
        if file.tell() > most_bytes:
            raise _Refused(f"it is larger than {most_bytes >> 20} MiB")
        if told:
            told(file.tell(), total)
    file.truncate()
    return file.tell()
