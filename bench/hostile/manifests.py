"""Manifests of every family that stand for far more than they are, and segments that are not what they should be."""

import random
from collections.abc import Callable

from bench.hostile.case import BLOCK, DASH, HLS, MIB, SMOOTH, Answer, Case, always, body, by_path, endless, redirect

FLASH = "application/f4m+xml"
MEDIA = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n"


def cases(chance: random.Random) -> list[Case]:
    """Those of a seed."""
    return [*_dash(chance), *_smooth(chance), *_hls(chance), *_encrypted(chance), *_others(), *_broken(chance)]


def _many(chance: random.Random) -> int:
    return chance.randrange(5_000_000, 900_000_000)


def _mpd(inner: str, duration: str, *, periods: int = 1, sets: int = 1) -> bytes:
    track = '<AdaptationSet mimeType="video/mp4"><Representation id="v" bandwidth="1" codecs="avc1.64000a" width="64" '
    whole = f'<Period>{(track + f"""height="48">{inner}</Representation></AdaptationSet>""") * sets}</Period>' * periods
    start = '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration='
    return f'{start}"{duration}">{whole}</MPD>'.encode()


def _template(extra: str, inner: str = "", *, media: str = "$Number$.m4s") -> str:
    return f'<SegmentTemplate timescale="1" media="{media}" initialization="i.mp4" {extra}>{inner}</SegmentTemplate>'


def _dash(chance: random.Random) -> list[Case]:
    n = _many(chance)
    line = f'<SegmentTimeline><S t="0" d="1" r="{n}"/></SegmentTimeline>'
    few = '<SegmentTimeline><S t="0" d="1" r="90000"/></SegmentTimeline>'
    width = _template('duration="1"', media=f"$Number%0{n}d$.m4s")
    urls = "<SegmentList>" + '<SegmentURL media="a.m4s"/>' * 300_000 + "</SegmentList>"
    made: dict[str, Callable[[], bytes]] = {
        "duration 1": lambda: _mpd(_template('duration="1"'), f"PT{n}S"),
        "duration of a millionth": lambda: _mpd(_template('duration="0.000001"'), "PT5000S"),
        "timescale": lambda: _mpd(_template('duration="1"').replace('timescale="1"', f'timescale="{n}"'), "PT50S"),
        "repeats": lambda: _mpd(_template("", line), "PT5S"),
        "repeats in eighty sets": lambda: _mpd(_template("", few), "PT5S", sets=80),
        "repeats in eighty periods": lambda: _mpd(_template("", few), "PT5S", periods=80),
        "number of wide digits": lambda: _mpd(width, "PT5S"),
        "a list of segments": lambda: _mpd(urls, "PT5S"),
        "a hundred thousand sets": lambda: _mpd("<BaseURL>a.mp4</BaseURL>", "PT5S", sets=100_000),
        "negative start": lambda: _mpd(_template(f'duration="1" startNumber="-{n}"'), "PT5S"),
    }
    return [Case("DASH", name, body(make, DASH), entry="a.mpd") for name, make in made.items()]


def _smooth(chance: random.Random) -> list[Case]:
    n = _many(chance)
    level = '<QualityLevel Bitrate="1" FourCC="H264" CodecPrivateData="00" MaxWidth="64" MaxHeight="48"/>'

    def ism(chunks: str, duration: int, levels: int = 1) -> Callable[[], bytes]:
        stream = f'<StreamIndex Type="video" Url="{{start time}}">{level * levels}{chunks}</StreamIndex>'
        start = f'<SmoothStreamingMedia MajorVersion="2" TimeScale="1" Duration="{duration}">'
        return lambda: f"{start}{stream}</SmoothStreamingMedia>".encode()

    made = {
        "repeats": ism(f'<c t="0" d="1" r="{n}"/>', 5),
        "duration": ism('<c t="0"/>', n),
        "chunks": ism('<c d="1"/>' * 400_000, 5),
        "levels": ism('<c t="0" d="1" r="5"/>', 5, levels=50_000),
    }
    return [Case("Smooth Streaming", name, body(make, SMOOTH), entry="a.ism/Manifest") for name, make in made.items()]


def _hls(chance: random.Random) -> list[Case]:
    n = _many(chance)

    def lines(line: str, count: int) -> Callable[[], bytes]:
        start = b"#EXTM3U\n" if "STREAM-INF" in line else MEDIA
        return lambda: start + line.encode() * count + b"#EXT-X-ENDLIST\n"

    made: dict[str, tuple[Callable[[], bytes], str]] = {
        "segments": (lines("#EXTINF:1,\na\n", 600_000), ""),
        "segments, packed": (lines("#EXTINF:1,\na\n", 1_000_000), "gzip"),
        "variants": (lines("#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n", 150_000), ""),
        "variants, packed": (lines("#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n", 300_000), "gzip"),
        "renditions": (lines('#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="a"\n', 100_000), ""),
        "one line of megabytes": (lambda: MEDIA + b"#EXTINF:1,\n" + b"a" * (7 * MIB), ""),
        "attributes": (lambda: b"#EXTM3U\n#EXT-X-STREAM-INF:" + b'A="a",' * 500_000 + b"\na\n", ""),
        "byte range": (lines(f"#EXTINF:1,\n#EXT-X-BYTERANGE:{n}@{n}\nseg\n", 3), ""),
        "numbers of a megabyte": (lambda: MEDIA + b"#EXT-X-MEDIA-SEQUENCE:" + b"9" * MIB + b"\n#EXTINF:1,\na\n", ""),
        "keys": (lines('#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXTINF:1,\na\n', 90_000), ""),
        "discontinuities": (lines("#EXT-X-DISCONTINUITY\n", 600_000), ""),
    }
    found = [Case("HLS", name, body(make, HLS, packing=p), entry="a.m3u8") for name, (make, p) in made.items()]
    itself = lines("#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n", 2)
    found.append(Case("HLS", "variants that are itself", body(itself, HLS), entry="a.m3u8"))
    plain = lines("#EXTINF:1,\nseg.ts\n", 3)
    segments: dict[str, Answer] = {
        "endless segments": endless(chance.randbytes(BLOCK), "video/mp2t"),
        "segments of zeros": body(lambda: bytes(30 * MIB), "video/mp2t"),
        "segments that lead inside": redirect("http://10.0.0.1/a.ts"),
        "segments that are pages": body(lambda: b"<html>" * 1000, "text/html"),
        "segments that are playlists": body(plain, HLS),
    }
    for name, answer in segments.items():
        at = by_path({"a.m3u8": body(plain, HLS), "seg.ts": answer})
        found.append(Case("HLS", name, at, entry="a.m3u8"))
    return found


def _encrypted(chance: random.Random) -> list[Case]:
    """AES-128: native code decrypts megabytes at once, and what comes out is no video."""
    text = MEDIA + b'#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXTINF:1,\nseg.ts\n#EXT-X-ENDLIST\n'
    key = chance.randbytes(16)
    found = []
    for size in (MIB // 2, 2 * MIB, 16 * MIB):
        data = chance.randbytes(size)
        at = {"a.m3u8": body(lambda: text, HLS), "k": body(lambda: key), "seg.ts": body(always(data))}
        found.append(Case("AES-128", f"{size / MIB:g} MiB of noise", by_path(at), entry="a.m3u8"))
    keys: dict[str, Answer] = {
        "key of no bytes": body(lambda: b""),
        "key of odd length": body(lambda: b"a" * 15),
        "key of megabytes": body(lambda: bytes(40 * MIB)),
        "key without an end": endless(bytes(BLOCK), "application/octet-stream"),
        "key from inside": redirect("http://169.254.169.254/key"),
    }
    for name, answer in keys.items():
        at = {"a.m3u8": body(lambda: text, HLS), "k": answer, "seg.ts": body(lambda: bytes(1600))}
        found.append(Case("AES-128", name, by_path(at), entry="a.m3u8"))
    return found


def _others() -> list[Case]:
    bomb = '<!DOCTYPE a [<!ENTITY a0 "lol">' + "".join(
        f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">' for level in range(1, 10)
    )
    deep = "<a>" * 200_000
    f4m = '<manifest xmlns="http://ns.adobe.com/f4m/1.0"><baseURL>a</baseURL>'
    made = {
        "DASH of entities": (f"<?xml version='1.0'?>{bomb}]><MPD>&a9;</MPD>", DASH),
        "DASH of depth": (f"<?xml version='1.0'?><MPD>{deep}", DASH),
        "F4M of media": (f4m + '<media url="a" bitrate="1"/>' * 100_000 + "</manifest>", FLASH),
        "F4M of depth": (f4m + deep, FLASH),
        "SMIL of videos": ("<smil><body>" + '<video src="a"/>' * 100_000 + "</body></smil>", "application/smil+xml"),
        "XSPF of tracks": (
            '<playlist xmlns="http://xspf.org/ns/0/"><trackList>' + "<track><location>a</location></track>" * 100_000
            + "</trackList></playlist>",
            "application/xspf+xml",
        ),
        "outside entity": (
            '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><MPD xmlns="urn:mpeg:dash:schema:mpd:2011">&x;',
            DASH,
        ),
    }  # fmt: skip
    return [Case("other manifests", name, body(always(text.encode()), kind)) for name, (text, kind) in made.items()]


def _broken(chance: random.Random) -> list[Case]:
    """Manifests as they should be, with some bytes changed by chance."""
    whole = (
        (_mpd(_template('duration="1"'), "PT5S"), DASH, "a.mpd"),
        (
            b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\nseg0.ts\n#EXTINF:1.0,\nseg1.ts\n#EXT-X-ENDLIST\n",
            HLS,
            "a.m3u8",
        ),
    )
    found = []
    for number in range(16):
        text, kind, entry = whole[number % 2]
        changed = bytearray(text)
        for _ in range(chance.randrange(1, 30)):
            changed[chance.randrange(9, len(changed))] = chance.choice(b'0123456789"<>&%#:,=\x00\xff ')
        answer = by_path({entry: body(always(bytes(changed)), kind)})
        found.append(Case("broken manifests", f"{entry} {number}", answer, entry=entry))
    return found
