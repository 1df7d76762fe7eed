"""Playlists, feeds and web folders of strangers; files that change between two tries; tracks that are none."""

import random
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from itertools import count

from bench.hostile.case import DASH, MIB, Answer, Case, always, body, by_path, endless, head

FEED = "application/rss+xml"

ELSEWHERE = (
    "s3://bucket/key.mp4", "gs://bucket/key.mp4", "az://bucket/key.mp4", "file:///etc/passwd", "/etc/passwd",
    "http://169.254.169.254/a.mp4", "http://%31%30.0.0.1/a.mp4", "ftp://10.0.0.1/a.mp4", "s3://bucket::file:///etc/passwd",
)  # fmt: skip


def cases(chance: random.Random) -> list[Case]:
    """Those of a seed."""
    return [*_feeds(chance), *_folders(chance), *_changed(chance), *_tracks(chance)]


def _feed(items: str) -> bytes:
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>{items}</channel></rss>'.encode()


def _item(link: str, title: str = "a") -> str:
    return f"<item><title>{title}</title><link>{link}</link></item>"


def _feeds(chance: random.Random) -> list[Case]:
    far = "".join(map(_item, ELSEWHERE))
    made: dict[str, Callable[[], bytes]] = {
        "entries elsewhere": lambda: _feed(far),
        "entries by the hundred thousand": lambda: _feed(_item("http://127.0.0.1/a.mp4") * 100_000),
        "a title of megabytes": lambda: _feed(_item("http://127.0.0.1/a.mp4", "x" * (4 * MIB))),
        "a link of megabytes": lambda: _feed(_item("http://127.0.0.1/" + "x" * (4 * MIB))),
        "depth": lambda: _feed("<a>" * 300_000),
        "control characters": lambda: _feed(_item("http://127.0.0.1/a&#10;b.mp4", "&#27;[2J&#8238;a")),
        "broken": lambda: _feed(far)[: chance.randrange(100, 700)],
    }
    found = [Case("feeds", name, body(make, FEED), asked="list", may_arrive=True) for name, make in made.items()]
    for entry in ELSEWHERE:
        found.append(
            Case("feeds", f"only {entry}", body(always(_feed(_item(entry))), FEED), asked="list", may_arrive=True)
        )
    found.append(
        Case("feeds", "without an end", endless(_item("http://127.0.0.1/a.mp4").encode() * 1000, FEED), asked="list")
    )
    return found


def _folders(chance: random.Random) -> list[Case]:
    numbers = count()

    def deeper(request: BaseHTTPRequestHandler, _: str) -> None:
        body(lambda: b"".join(b'<a href="%d/">x</a>' % next(numbers) for _ in range(50)))(request, "")

    made: dict[str, Answer] = {
        "folders without an end": deeper,
        "links by the million": body(lambda: b'<a href="a.mp4">a</a>' * 700_000),
        "a link of megabytes": body(lambda: b'<a href="' + b"a" * (8 * MIB) + b'">'),
        "slow for a regular expression": body(lambda: b"<a " * (3 * MIB)),
        "slow for another": body(lambda: b"<a href" + b" " * (8 * MIB)),
        "links elsewhere": body(lambda: "".join(f'<a href="{one}">a</a>' for one in ELSEWHERE).encode()),
        "links that are none": body(lambda: b'<a href="http://[::1/"><a href="//%s/a.mp4">' % chance.randbytes(9)),
        "itself": body(lambda: b'<a href="../folder/"><a href="./"><a href="a/../">'),
    }
    return [
        Case("web folders", name, answer, entry="folder/", asked="folder", may_arrive=True)
        for name, answer in made.items()
    ]


def _changed(chance: random.Random) -> list[Case]:
    """The first try breaks off in the middle, the second one meets another file."""
    found = []
    for tag in ("etag", "date", "none", "deaf"):
        for size in (50_000, 3_000_000):
            first, second = (b"\x00\x00\x00\x20ftypisom" + chance.randbytes(size) for _ in range(2))
            found.append(
                Case(
                    "changed files",
                    f"{size} bytes, {tag}",
                    _changing(first, second, tag),
                    entry="f.mp4",
                    may_arrive=True,
                    wanted=always(second),
                    settings={"retries": 2, "backoff_s": 0.01},
                )
            )
    return found


def _changing(first: bytes, second: bytes, tag: str) -> Answer:
    """The page that is looked at, half of the first file, then the second one; `tag` is what a version is named by.

    A server that is deaf sends the rest of the second file to whoever asked for that of the first.
    """
    turns = count()

    def answer(request: BaseHTTPRequestHandler, _: str) -> None:
        turn = next(turns)
        data, name = (first, "1") if turn < 2 else (second, "2")
        dated = f"Mon, 0{name} Jun 2026 00:00:00 GMT"
        told = {"etag": {"ETag": f'"{name}"'}, "deaf": {"ETag": f'"{name}"'}, "date": {"Last-Modified": dated}}
        known = {"etag": f'"{name}"', "date": dated}.get(tag)
        wanted = request.headers.get("Range", "")
        heard = tag in ("none", "deaf") or request.headers.get("If-Range") == known
        start = int(wanted[6:-1]) if wanted and heard else 0
        headers = {"Content-Type": "video/mp4", "Content-Length": str(len(data) - start)} | told.get(tag, {})
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        head(request, headers, status=206 if start else 200)
        request.wfile.write(data[start : len(data) // 2 if turn == 1 else None])
        request.close_connection = True

    return answer


def _tracks(chance: random.Random) -> list[Case]:
    """Picture and sound apart, one of which is not what it says."""
    sets = "".join(
        f'<AdaptationSet mimeType="{kind}/mp4"><Representation id="{kind}" bandwidth="1" codecs="{codec}">'
        f"<BaseURL>{kind}.mp4</BaseURL></Representation></AdaptationSet>"
        for kind, codec in (("video", "avc1.64000a"), ("audio", "mp4a.40.2"))
    )
    start = '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S">'
    manifest = f'<?xml version="1.0"?>{start}<Period>{sets}</Period></MPD>'.encode()
    noise = b"\x00\x00\x00\x20ftypisom" + chance.randbytes(20_000)
    tracks: dict[str, Answer] = {
        "noise": body(lambda: noise, "video/mp4"),
        "empty": body(lambda: b"", "video/mp4"),
        "a page": body(lambda: b"<html>" * 500, "text/html"),
        "a box of 16 EiB": body(lambda: noise[:32] + b"\x00\x00\x00\x01moov" + b"\xff" * 8, "video/mp4"),
        "without an end": endless(noise, "video/mp4"),
    }
    return [
        Case(
            "tracks apart",
            name,
            by_path({"a.mpd": body(lambda: manifest, DASH), "video.mp4": answer, "audio.mp4": answer}),
            entry="a.mpd",
        )
        for name, answer in tracks.items()
    ]
