"""One hostile answer, and the words in which a server gives it."""

import gzip
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Literal

BLOCK, MIB = 1 << 16, 1 << 20

HLS, DASH, SMOOTH = "application/x-mpegurl", "application/dash+xml", "application/vnd.ms-sstr+xml"
"""Kinds of manifests."""

Answer = Callable[[BaseHTTPRequestHandler, str], None]
"""Answers a request for a path below the case's own."""


@dataclass(frozen=True, slots=True)
class Case:
    """Something that a stranger's server may do.

    Attributes:
        entry: path of the link that is asked for, below the case's own.
        asked: as what: a video, a playlist or a web folder.
        may_arrive: whether a video, or a list, may come of it all the same.
        wanted: the bytes that must come, if a video does; None for any.
        settings: of the fetch, where they differ.
    """

    kind: str
    name: str
    answer: Answer
    entry: str = ""
    asked: Literal["video", "list", "folder"] = "video"
    may_arrive: bool = False
    wanted: Callable[[], bytes] | None = None
    settings: Mapping[str, float] = field(default_factory=dict)


def body(
    make: Callable[[], bytes], kind: str = "text/html", *, packing: str = "", headers: Mapping[str, str] | None = None
) -> Answer:
    """The same bytes at every path, made when they are asked for; with `packing` as gzip or deflate."""

    def answer(request: BaseHTTPRequestHandler, _: str) -> None:
        data = make()
        if packing:
            data = gzip.compress(data, 1) if packing == "gzip" else zlib.compress(data, 1)
        told = {"Content-Type": kind, "Content-Length": str(len(data))} | dict(headers or {})
        if packing:
            told["Content-Encoding"] = packing
        head(request, told)
        request.wfile.write(data)

    return answer


def always(data: bytes) -> Callable[[], bytes]:
    """What makes the same bytes each time."""
    return lambda: data


def head(request: BaseHTTPRequestHandler, headers: Mapping[str, str], *, status: int = 200) -> None:
    """Status and headers."""
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.end_headers()


def raw(data: bytes) -> Answer:
    """Bytes that need not be HTTP, then the end."""

    def answer(request: BaseHTTPRequestHandler, _: str) -> None:
        request.wfile.write(data)
        request.close_connection = True

    return answer


def endless(block: bytes, kind: str) -> Answer:
    """A block again and again, until the other side is gone."""

    def answer(request: BaseHTTPRequestHandler, _: str) -> None:
        head(request, {"Content-Type": kind})
        while True:
            request.wfile.write(block)

    return answer


def by_path(answers: Mapping[str, Answer], *, other: Answer | None = None) -> Answer:
    """An answer for each path, and one for all others (404 where there is none)."""

    def answer(request: BaseHTTPRequestHandler, path: str) -> None:
        found = answers.get(path) or other
        if found:
            found(request, path)
        else:
            request.send_error(404)

    return answer


def redirect(target: str, code: int = 302) -> Answer:
    """To another link."""
    return lambda request, _: head(request, {"Location": target, "Content-Length": "0"}, status=code)


def status(code: int) -> Answer:
    """An error."""
    return lambda request, _: request.send_error(code)
