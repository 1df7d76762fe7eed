"""Pages: that make regular expressions run, that have no end, that lie about their length, that lead inside."""

import random
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

from bench.hostile.case import (
    BLOCK,
    DASH,
    HLS,
    MIB,
    Answer,
    Case,
    always,
    body,
    by_path,
    endless,
    head,
    raw,
    redirect,
    status,
)

SHAPES = (
    "<meta ", "<video ", "<script ", "jwplayer('a').setup({", '<iframe src="', "<source ", "<title>", "<embed ",
    '<param name="movie" value="', '<a href="', "flowplayer('x', {", "<object ", '{"@type":"VideoObject",',
    "SWFObject('", '<div class="video-js" ', "<!-- ", '<script type="application/ld+json">', "videojs('x', {",
    "<link rel=", "kaltura ",
)  # fmt: skip
"""Beginnings that extractors look for, without their ends."""

INSIDE = (
    "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/a.mp4", "http://192.168.1.1/", "http://[fd00::1]/a",
    "http://172.16.0.1:8080/", "http://2852039166/", "http://0xa9fea9fe/", "http://[::ffff:10.0.0.5]/", "http://0/",
    "http://%31%36%39.254.169.254/", "http://168.63.129.16/metadata", "http://[3fff::1]/a", "http://100.64.0.1/",
    "http://[64:ff9b::a9fe:a9fe]/", "http://metadata.google.internal/", "http://１０.0.0.1/a", "ftp://10.0.0.1/a",
    "file:///etc/passwd", "gopher://10.0.0.1:70/_", "data:video/mp4,a", "http://user:pass@10.0.0.1/", "s3://bucket/a.mp4",
    "http://[fe80::1]/", "http://224.0.0.1/",
)  # fmt: skip


def cases(chance: random.Random) -> list[Case]:
    """Those of a seed."""
    return [*_slow(chance), *_huge(chance), *_lying(chance), *_inside(chance), *_odd(chance), *_talkative()]


def _slow(chance: random.Random) -> list[Case]:
    def page(shape: str, size: int) -> Callable[[], bytes]:
        return lambda: f"<html><title>a</title>{shape * (size // len(shape))}".encode()

    sizes = [chance.choice((16, 64, 256, 1024)) << 10 for _ in SHAPES]
    return [
        Case("slow pages", f"{shape.strip()} {size >> 10} KiB", body(page(shape, size)))
        for shape, size in zip(SHAPES, sizes, strict=True)
    ]


def _huge(chance: random.Random) -> list[Case]:
    found = []
    for packing in ("", "gzip", "deflate"):
        for kind in ("text/html", HLS, DASH):
            size = chance.randrange(20, 80) * MIB
            make = _bytes(b"<html>" if kind == "text/html" else b"#EXTM3U\n", size)
            found.append(Case("huge pages", f"{packing or 'plain'} {kind}", body(make, kind, packing=packing)))
    found += [
        Case(
            "huge pages",
            f"endless {kind}",
            endless(chance.randbytes(BLOCK) if "video" in kind else b"<p>" * BLOCK, kind),
        )
        for kind in ("text/html", "video/mp4", "application/json", "text/xml")
    ]
    twice = body(_bytes(b"", 40 * MIB), packing="gzip", headers={"Content-Encoding": "gzip, gzip"})
    return [*found, Case("huge pages", "packed twice, it says", twice)]


def _bytes(start: bytes, size: int) -> Callable[[], bytes]:
    return lambda: start + bytes(size)


def _lying(chance: random.Random) -> list[Case]:
    film = b"\x00\x00\x00\x20ftypisom" + chance.randbytes(chance.randrange(1000, 50_000))
    lengths = (len(film) * 2, 10**18, len(film) // 2, -5, 0)
    found = [
        Case("lying lengths", f"Content-Length {length}", _told(film, {"Content-Length": str(length)}), may_arrive=True)
        for length in lengths
    ]
    headers = {
        "a word for a length": {"Content-Length": "many"},
        "two lengths": {"Content-Length": "5", "content-length": str(len(film))},
        "gzip that is none": {"Content-Length": str(len(film)), "Content-Encoding": "gzip"},
        "brotli that is none": {"Content-Length": str(len(film)), "Content-Encoding": "br"},
        "a range that was not asked for": {"Content-Range": "bytes 5-9/3", "Content-Length": str(len(film))},
        "chunked that is not": {"Transfer-Encoding": "chunked"},
    }
    found += [Case("lying lengths", name, _told(film, told), may_arrive=True) for name, told in headers.items()]
    chunks = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nTransfer-Encoding: chunked\r\n\r\n"
    found += [
        Case("lying lengths", f"chunk {size!r}", raw(chunks + size + b"\r\n" + film))
        for size in (b"ffffffffffffffff", b"-1", b"zz", b"1" * 70_000)
    ]
    return found


def _told(data: bytes, headers: dict[str, str]) -> Answer:
    def answer(request: BaseHTTPRequestHandler, _: str) -> None:
        head(request, {"Content-Type": "video/mp4"} | headers)
        request.wfile.write(data)
        request.close_connection = True

    return answer


def _inside(chance: random.Random) -> list[Case]:
    found = [
        Case(
            "ways inside", f"redirect to {target}", redirect(_quoted(target), chance.choice((301, 302, 303, 307, 308)))
        )
        for target in INSIDE
    ]
    places = (
        '<video src="{}">',
        '<source type="video/mp4" src="{}">',
        '<meta http-equiv="refresh" content="0;url={}">',
    )
    for target in chance.sample(INSIDE, 8):
        page = chance.choice(places).format(target).encode()
        found.append(Case("ways inside", f"page with {target}", body(always(page))))
    found.append(Case("ways inside", "a circle", redirect("again")))
    return found


def _quoted(link: str) -> str:
    return link.encode().decode("latin-1")


def _odd(chance: random.Random) -> list[Case]:
    def silent(request: BaseHTTPRequestHandler, _: str) -> None:
        request.rfile.read(1)

    def drip(text: bytes) -> Answer:
        def answer(request: BaseHTTPRequestHandler, _: str) -> None:
            for one in text * 1000:
                request.wfile.write(bytes([one]))
                time.sleep(0.2)

        return answer

    answers = {
        "says nothing": silent,
        "drips its status": drip(b"HTTP/1.1 200 "),
        "drips its body": drip(b"HTTP/1.1 200 OK\r\n\r\n<html>"),
        "hangs up": raw(b""),
        "is no HTTP": raw(chance.randbytes(5000)),
        "has one header of a mebibyte": raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * MIB + b"\r\n\r\n"),
        "has a hundred thousand headers": raw(b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 100_000 + b"\r\n"),
        "has a status of a mebibyte": raw(b"HTTP/1.1 200 " + b"a" * MIB + b"\r\n\r\n"),
        "goes on for ever": lambda request, _: [
            request.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n") for _ in iter(int, 1)
        ],
    }
    codes = (204, 206, 300, 304, 401, 402, 403, 404, 410, 416, 418, 429, 451, 500, 503, 511, 999)
    odd = [Case("odd servers", name, answer) for name, answer in answers.items()]  # type: ignore[arg-type]
    return odd + [Case("odd servers", f"status {code}", status(code)) for code in codes]


def _talkative() -> list[Case]:
    """Metadata of megabytes around a video that is none."""
    long = "x" * (4 * MIB)
    pages = {
        "title": f"<title>{long}</title>",
        "og:title": f'<title>a</title><meta property="og:title" content="{long}">',
        "ld+json": '<script type="application/ld+json">{"@context":"https://schema.org","@type":"VideoObject","name":"'
        + long + '","contentUrl":"f.mp4"}</script>',
        "deep JSON": '<script type="application/ld+json">' + "[" * 200_000 + "</script>",
        "entities": "<title>" + "&amp;" * MIB + "</title>",
    }  # fmt: skip
    film = body(lambda: b"\x00\x00\x00\x20ftypisom" + bytes(5000), "video/mp4")
    return [
        Case(
            "metadata of megabytes",
            name,
            by_path({"": body(always(f'<html>{page}<video src="f.mp4"></video>'.encode())), "f.mp4": film}),
            may_arrive=True,
        )
        for name, page in pages.items()
    ]
