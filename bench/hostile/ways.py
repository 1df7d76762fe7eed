"""Answers that say more than can be true, are packed oddly, trickle, or lead inside by another spelling."""

import gzip
import random
import time
import zlib
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from itertools import count

from bench.hostile.case import HLS, MIB, Answer, Case, always, body, by_path, head, redirect
from bench.hostile.families import FILM, PLAYLIST

SPELLINGS = (
    "http://012.0.0.1/a", "http://10.1/a", "http://0xA000001/a", "http://167772161/a", "http://10。0。0。1/a",
    "http://①⓪.0.0.1/a", "http://169.254.169.254./a", "http://[::ffff:a9fe:a9fe]/a", "http://[::ffff:0:10.0.0.1]/a",
    "http://[64:ff9b:1::a00:1]/a", "http://[2002:a00:1::]/a", "http://[2001:0:a00:1::]/a", "http://[::10.0.0.1]/a",
    "http://[fe80::1%25eth0]/a", "http://8.8.8.8@10.0.0.1/a", "http://user:pass@[::ffff:10.0.0.1]/a",
    "http://10.0.0.1%2f.example.com/a", "http:\\\\10.0.0.1\\a", "http://10.0.0.1\t/a", "//10.0.0.1/a", "http:///10.0.0.1/a",
    "http://[ff02::1]/a", "http://255.255.255.255/a", "http://198.18.0.1/a", "http://192.0.2.1/a", "http://[2001:db8::1]/a",
)  # fmt: skip
"""Places that are not public, in spellings that some reader takes for another one's."""


def cases(chance: random.Random) -> list[Case]:
    """Those of a seed."""
    return [*_said(chance), *_packed(chance), *_trickles(), *_spelled(chance), *_chains(chance)]


def _said(chance: random.Random) -> list[Case]:
    """What pages say in JSON of their videos."""
    video = '{"@context":"https://schema.org","@type":"VideoObject","name":"a","contentUrl":"f.mp4"%s}'
    deep = video % (',"publisher":' + '{"a":[' * chance.randrange(20_000, 90_000))
    numbers = {
        "numbers of a mebibyte": video % f',"width":{"9" * MIB},"duration":"PT{"9" * MIB}S"',
        "numbers that are none": (
            video % ',"width":NaN,"height":-Infinity,"duration":"PT1e999S","uploadDate":"0000-99-99"'
        ),
        "words where lists should be": (
            video % ',"interactionStatistic":"a","thumbnailUrl":{"a":1},"hasPart":7,"author":[[]]'
        ),
        "videos by the hundred thousand": "[" + ",".join([video % ""] * 100_000) + "]",
        "parts by the hundred thousand": (
            video % (',"hasPart":[' + ",".join(['{"@type":"Clip","startOffset":1}'] * 200_000) + "]")
        ),
        "surrogates": video % ',"description":"\\ud800\\udfff\\u0000"',
        "depth": deep,
        "one key a million times": video % (',"a":1' * MIB),
    }  # fmt: skip
    found = []
    for name, text in numbers.items():
        page = f'<html><title>a</title><script type="application/ld+json">{text}</script><video src="f.mp4"></video>'
        at = by_path({"": body(always(page.encode())), "f.mp4": body(lambda: FILM, "video/mp4")})
        found.append(Case("pages that talk JSON", name, at, may_arrive=True))
    return found


def _packed(chance: random.Random) -> list[Case]:
    """Bodies that are packed in ways of their own."""
    size = chance.randrange(20, 60) * MIB
    whole = gzip.compress(bytes(size), 9)
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    bare = raw.compress(bytes(size)) + raw.flush()
    nothing = gzip.compress(b"")

    def members(request: BaseHTTPRequestHandler, _: str) -> None:
        head(request, {"Content-Type": "text/html", "Content-Encoding": "gzip"})
        while True:
            request.wfile.write(nothing * 3000)

    def packed(data: bytes, told: str, kind: str = "text/html") -> Answer:
        return body(always(data), kind, headers={"Content-Encoding": told})

    made: dict[str, Answer] = {
        "gzip within gzip within gzip": packed(gzip.compress(gzip.compress(whole)), "gzip, gzip, gzip"),
        "members of nothing, without an end": members,
        "a thousand members": packed(gzip.compress(bytes(MIB)) * 1000, "gzip"),
        "a bare deflate stream": packed(bare, "deflate"),
        "brotli, it says": packed(whole, "br"),
        "zstd, it says": packed(b"\x28\xb5\x2f\xfd" + bytes(4000), "zstd"),
        "no way of packing that is known": packed(whole, "x-gzip, identity, dcb"),
        "a video that is packed": packed(gzip.compress(FILM[:12] + bytes(200 * MIB), 1), "gzip", "video/mp4"),
        "a member that breaks off": packed(whole[: len(whole) // 2], "gzip"),
    }
    # What says that it is packed and is not, or in an unknown way, is no video; packed zeros may pass for one.
    return [Case("packed bodies", name, answer, may_arrive="a video" in name) for name, answer in made.items()]


def _trickles() -> list[Case]:
    """A little every now and then: no silence is long enough to give up."""

    def drip(first: bytes, kind: str, more: bytes = b"\0") -> Answer:
        def answer(request: BaseHTTPRequestHandler, _: str) -> None:
            head(request, {"Content-Type": kind})
            request.wfile.write(first)
            for _turn in range(600):
                request.wfile.write(more)
                request.wfile.flush()
                time.sleep(0.2)

        return answer

    def chunks(request: BaseHTTPRequestHandler, _: str) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _turn in range(600):
            request.wfile.write(b"1;" + b"a" * 50 + b"\r\n<\r\n")
            time.sleep(0.2)

    def trailers(request: BaseHTTPRequestHandler, _: str) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
        while True:
            request.wfile.write(b"X: a\r\n" * 1000)

    listed = f"{PLAYLIST}#EXTINF:1,\nseg.ts\n#EXT-X-ENDLIST\n".encode()
    made: dict[str, tuple[str, Answer]] = {
        "a video": ("f.mp4", drip(FILM, "video/mp4")),
        "a page": ("", drip(b"<html>", "text/html", b"<")),
        "a manifest": ("a.m3u8", drip(b"#EXTM3U\n", HLS, b"#\n")),
        "a segment": ("a.m3u8", by_path({"a.m3u8": body(always(listed), HLS), "seg.ts": drip(FILM, "video/mp2t")})),
        "chunks of one byte": ("", chunks),
        "trailers without an end": ("", trailers),
        "gzip": ("", drip(gzip.compress(b"<html>")[:12], "text/html")),
    }
    return [Case("trickles", name, answer, entry=entry) for name, (entry, answer) in made.items()]


def _spelled(chance: random.Random) -> list[Case]:
    def pages(links: Iterable[str]) -> Iterable[Case]:
        for link in links:
            written = link.encode().decode("latin-1")
            turn = redirect(written.replace("\t", "%09"), chance.choice((301, 302, 303, 307, 308)))
            yield Case("spellings of inner places", f"redirect to {link}", turn)
            page = f'<html><title>a</title><video src="{link}"></video>'.encode()
            yield Case("spellings of inner places", f"a video at {link}", body(always(page)))

    return [*pages(SPELLINGS)]


def _chains(chance: random.Random) -> list[Case]:
    """Redirects without an end, by every way that leads on."""
    numbers = count(chance.randrange(1000))

    def onwards(request: BaseHTTPRequestHandler, _: str) -> None:
        redirect(f"{next(numbers)}", chance.choice((301, 302, 307)))(request, "")

    def refreshed(request: BaseHTTPRequestHandler, _: str) -> None:
        body(lambda: f'<meta http-equiv="refresh" content="0; url={next(numbers)}">'.encode())(request, "")

    host = "http://user:pass@127.0.0.1/a"
    made: dict[str, Answer] = {
        "onwards": onwards,
        "to itself": redirect(""),
        "by a page that refreshes": refreshed,
        "by a header that refreshes": body(always(b"<html>"), headers={"Refresh": "0; url=http://10.0.0.1/a"}),
        "to credentials": redirect(host),
        "to a link of a mebibyte": redirect("/" + "a" * (60 << 10)),
        "to white space": redirect(" \t"),
        "to another scheme": redirect("javascript:alert(1)"),
        "with a header within": redirect("/a%0d%0aX-Injected:%20b"),
    }
    return [Case("chains of redirects", name, answer) for name, answer in made.items()]
