"""Crafted files: what a hostile or broken server may hand out, each with the outcomes that are right for it.

A case makes one file in a folder that it has for itself. `OK` among its outcomes means that decoding it is fine too: a
flipped bit may hit a picture's inside, which no decoder notices.
"""

import gzip
import io
import os
import random
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from curation.outcomes import Outcome

FLIPS = 24
O = Outcome  # noqa: E741
BROKEN = frozenset(
    {O.TRUNCATED, O.NOT_A_VIDEO, O.DECODE_FAILED, O.NO_VIDEO, O.NO_AUDIO, O.UNKNOWN_CODEC, O.TOO_LARGE}
    | {O.TOO_MUCH_MEMORY}
)


@dataclass(frozen=True, slots=True)
class Case:
    """A crafted file: how it is made (from a folder of its own, returns the path) and how it may end."""

    name: str
    make: Callable[[Path], Path]
    outcomes: frozenset[Outcome]


def cases(sources: Path) -> list[Case]:
    """All cases; `sources` is a folder in which honest films may be made once."""
    films = _Films(sources)
    found = [*_no_videos(films), *_playlists(), *_shortened(films), *_patched(films), *_odd(films), *_flipped(films)]
    assert len({case.name for case in found}) == len(found)
    return found


class _Films:
    """Honest films in several containers, made when first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, suffix: str) -> bytes:
        path = self._folder / f"honest{suffix}"
        if not path.exists():
            codecs = {
                ".webm": ("libvpx", "libopus"), ".ogv": ("libvpx", "flac"), ".avi": ("mpeg4", "mp3"),
                ".flv": ("flv", "mp3"), ".ts": ("mpeg2video", "mp2"),
            }.get(suffix, ("libx264", "aac"))  # fmt: skip
            write(path, codecs=codecs)
        return path.read_bytes()


def write(
    path: Path,
    *,
    codecs: tuple[str, str] = ("libx264", "aac"),
    size: tuple[int, int] = (64, 48),
    frames: int = 50,
    fps: int = 25,
    times: list[int] | None = None,
    channels: str = "mono",
    picture: bool = True,
    sound: bool = True,
) -> Path:
    """A small film, two seconds long; `times` are the frames' in milliseconds."""
    with av.open(str(path), "w") as out:
        streams = []
        if picture:
            video = out.add_stream(codecs[0], rate=fps)
            video.width, video.height, video.pix_fmt = *size, "yuv420p"
            video.options = {"preset": "ultrafast"} if codecs[0] == "libx264" else {}
            if times:
                video.codec_context.time_base = Fraction(1, 1000)
            streams.append((video, list(_pictures(size, times or list(range(frames)), rate=1000 if times else fps))))
        if sound:
            audio = out.add_stream(codecs[1], rate=48_000, layout=channels)
            streams.append((audio, list(_sounds(channels))))
        for stream, parts in streams:
            for part in parts:
                out.mux(stream.encode(part))
            out.mux(stream.encode(None))
    return path


def _pictures(size, times, *, rate):
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    for number, at in enumerate(times):
        frame = av.VideoFrame.from_ndarray(np.roll(noise, number, axis=1), "rgb24")
        frame.pts = at
        frame.time_base = Fraction(1, rate)
        yield frame


def _sounds(layout, *, seconds=2, rate=48_000):
    count = len(av.AudioLayout(layout).channels)
    noise = np.random.default_rng(0).normal(0, 3000, (1, seconds * rate * count)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(noise, format="s16", layout=layout)
    frame.sample_rate, frame.pts = rate, 0
    yield frame


def _bytes(content: bytes, name: str = "film.mp4") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _lazy(content: Callable[[], bytes], name: str = "film.mp4") -> Callable[[Path], Path]:
    return lambda folder: _bytes(content(), name)(folder)


def _case(name: str, make: Callable[[Path], Path], *outcomes: Outcome) -> Case:
    return Case(name, make, frozenset(outcomes))


# --- files that are no videos ---------------------------------------------------------------------


def _no_videos(films: _Films) -> list[Case]:
    simple = {
        "no bytes": (b"", O.EMPTY_FILE),
        "one byte": (b"\0", O.NOT_A_VIDEO),
        "a megabyte of zeros": (bytes(1 << 20), O.NOT_A_VIDEO),
        "noise": (random.Random(0).randbytes(100_000), O.NOT_A_VIDEO),
        "html": (b"<!doctype html><title>Sign in</title>" * 20, O.NOT_A_VIDEO),
        "json": (b'{"error": "quota"}' * 40, O.NOT_A_VIDEO),
        "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>', O.NOT_A_VIDEO),
        "gif": (b"GIF89a" + bytes(400), O.NOT_A_VIDEO),
        "wav": (b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(400), O.NOT_A_VIDEO),
        "elf program": (b"\x7fELF" + bytes(400), O.NOT_A_VIDEO),
        "shell script": (b"#!/bin/sh\ntouch /tmp/owned\n", O.NOT_A_VIDEO),
        "gzip bomb": (gzip.compress(bytes(10 << 20)), O.NOT_A_VIDEO),
        "subtitles": (b"1\n00:00:00,000 --> 00:00:01,000\n<script>alert(1)</script>\n" * 10, O.NOT_A_VIDEO),
    }
    found = [_case(name, _bytes(content), outcome) for name, (content, outcome) in simple.items()]
    return [
        *found,
        _case("zip", _lazy(_zip), O.NOT_A_VIDEO),
        _case("tar of a film", _lazy(lambda: _tar(films(".mp4"))), O.NOT_A_VIDEO),
        _case("a folder", lambda folder: folder, O.NOT_A_VIDEO),
        _case("a pipe nobody writes to", _fifo, O.NOT_A_VIDEO),
        _case("a link to an endless device", _link_to("/dev/zero"), O.NOT_A_VIDEO),
        _case("a link to nothing", _link_to("nowhere"), O.FILE_MISSING),
        _case("a link to itself", _link_to("film.mp4"), O.FILE_MISSING),
        _case("no such file", lambda folder: folder / "gone.mp4", O.FILE_MISSING),
        _case("a name with a zero byte", lambda folder: folder / "a\0b.mp4", O.FILE_MISSING),
    ]


def _zip() -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        archive.writestr("../../film.mp4", b"x")
    return into.getvalue()


def _tar(film: bytes) -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w") as archive:
        info = tarfile.TarInfo("../film.mp4")
        info.size = len(film)
        archive.addfile(info, io.BytesIO(film))
    return into.getvalue()


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "film.mp4")
    return folder / "film.mp4"


def _link_to(target: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "film.mp4").symlink_to(target)
        return folder / "film.mp4"

    return make


# --- lists of other files, under the name of a film -----------------------------------------------


def _playlists() -> list[Case]:
    """The secret lies beside each; `{folder}` and `{port}` are filled in by the case, the test listens on the port."""
    texts = {
        "hls of a local file": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{folder}/secret.ts\n",
        "hls of a local server": "#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
        "hls master": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://127.0.0.1:{port}/b.m3u8\n",
        "hls key": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="http://127.0.0.1:{port}/k"\n#EXTINF:9,\na.ts\n',
        "concat script": "ffconcat version 1.0\nfile {folder}/secret.ts\n",
        "concat protocol": "concat:{folder}/secret.ts|{folder}/secret.ts",
        "subfile": "subfile,,start,0,end,9,,:{folder}/secret.ts",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\n",
        "dash": '<?xml version="1.0"?><MPD><BaseURL>http://127.0.0.1:{port}/</BaseURL></MPD>',
        "asx": '<asx version="3"><entry><ref href="http://127.0.0.1:{port}/"/></entry></asx>',
        "xspf": "<playlist><trackList><track><location>file://{folder}/secret.ts</location></track></trackList></playlist>",
        "rtsp text": "RTSPtext\nrtsp://127.0.0.1:{port}/a\n",
    }
    return [_case(f"playlist: {name}", _playlist(text), O.NOT_A_VIDEO) for name, text in texts.items()]


PORT_FILE = "port"


def _playlist(text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write(folder / "secret.ts", codecs=("mpeg2video", "mp2"))
        port = (folder.parent / PORT_FILE).read_text()
        return _bytes(text.format(folder=folder, port=port).encode())(folder)

    return make


# --- films cut short ------------------------------------------------------------------------------


def _shortened(films: _Films) -> list[Case]:
    def until(suffix: str, share: float) -> Callable[[Path], Path]:
        return _lazy(lambda: films(suffix)[: int(len(films(suffix)) * share)], f"film{suffix}")

    broken = (O.TRUNCATED, O.NOT_A_VIDEO, O.NO_VIDEO, O.NO_AUDIO, O.DECODE_FAILED)
    found = [
        _case(f"mp4 of {share:.0%}", until(".mp4", share), *broken) for share in (0.001, 0.01, 0.1, 0.5, 0.9, 0.99)
    ]
    # Containers without an index in front are whole up to where they end: half a film may pass where nothing says more.
    for suffix in (".mkv", ".webm", ".avi", ".flv", ".ts", ".ogv"):
        found.append(_case(f"{suffix[1:]} of half", until(suffix, 0.5), O.OK, *broken))
        found.append(
            _case(f"{suffix[1:]} of its head", _lazy(lambda s=suffix: films(s)[:300], f"film{suffix}"), *broken)
        )
    return [
        *found,
        _case("mp4 without its index", _lazy(lambda: _without(films(".mp4"), b"moov")), O.TRUNCATED),
        _case("mp4 of an index alone", _lazy(lambda: _only(films(".mp4"), b"ftyp", b"moov")), *broken),
        _case("mp4 with its data zeroed", _lazy(lambda: _zeroed(films(".mp4"), b"mdat")), *broken),
    ]


def boxes(film: bytes) -> list[tuple[bytes, int, int]]:
    """The top-level boxes of an MP4: (kind, start, end)."""
    at, found = 0, []
    while at + 8 <= len(film):
        size = int.from_bytes(film[at : at + 4]) or len(film) - at
        found.append((film[at + 4 : at + 8], at, at + size))
        at += size
    return found


def _without(film: bytes, *kinds: bytes) -> bytes:
    return b"".join(film[start:end] for kind, start, end in boxes(film) if kind not in kinds)


def _only(film: bytes, *kinds: bytes) -> bytes:
    return b"".join(film[start:end] for kind, start, end in boxes(film) if kind in kinds)


def _zeroed(film: bytes, box: bytes) -> bytes:
    return b"".join(
        film[start : start + 8] + bytes(end - start - 8) if kind == box else film[start:end]
        for kind, start, end in boxes(film)
    )


# --- films whose headers lie ----------------------------------------------------------------------


def _patched(films: _Films) -> list[Case]:
    def patch(name: str, change: Callable[[bytearray], object], *outcomes: Outcome) -> Case:
        def content() -> bytes:
            film = bytearray(films(".mp4"))
            change(film)
            return bytes(film)

        return _case(name, _lazy(content), *outcomes)

    return [
        # stts: version, flags, entries, then (count, duration) of the first entry.
        patch("four billion frames", lambda f: _poke(f, b"stts", 12, b"\xff\xff\xff\xff"), O.OK, *BROKEN),
        patch("frames of years", lambda f: _poke(f, b"stts", 16, b"\x7f\xff\xff\xff"), O.OK, *BROKEN),
        patch("frames of no time", lambda f: _poke(f, b"stts", 16, bytes(4)), O.OK, *BROKEN),
        patch("a table of four billion entries", lambda f: _poke(f, b"stts", 8, b"\xff\xff\xff\xff"), *BROKEN, O.OK),
        patch("four billion sample sizes", lambda f: _poke(f, b"stsz", 12, b"\xff\xff\xff\xff"), *BROKEN),
        patch("every sample two gigabytes", lambda f: _poke(f, b"stsz", 8, b"\x7f\xff\xff\xff"), *BROKEN),
        patch("data behind the end", lambda f: _poke(f, b"stco", 12, b"\x7f\xff\xff\xff"), *BROKEN),
        patch("a negative clock", lambda f: _poke(f, b"mdhd", 16, b"\xff\xff\xff\xff"), O.OK, *BROKEN),
        patch("a clock of zero", lambda f: _poke(f, b"mdhd", 16, bytes(4)), O.OK, *BROKEN),
        patch("an unknown codec", lambda f: _poke(f, b"avc1", 4, b"", rename=b"zzzz"), O.UNKNOWN_CODEC, *BROKEN),
        patch("an encrypted track", lambda f: _poke(f, b"avc1", 4, b"", rename=b"encv"), *BROKEN),
        patch("an edit list that starts in years", lambda f: _poke(f, b"elst", 16, b"\x7f\xff\xff\xff"), O.OK, *BROKEN),
        patch("an edit list that plays at no speed", lambda f: _poke(f, b"elst", 20, bytes(4)), O.OK, *BROKEN),
        patch("a box larger than the disk", lambda f: _poke(f, b"mdat", -4, b"\x00\x00\x00\x01"), *BROKEN),
        patch("sound without channels", lambda f: _poke(f, b"mp4a", 4 + 16, bytes(2)), O.OK, *BROKEN),
        patch("sound at no rate", lambda f: _poke(f, b"mp4a", 4 + 24, bytes(4)), O.OK, *BROKEN),
        _case("boxes in boxes", _bytes(_nested(20_000)), *BROKEN),
        _case("a box of no size for ever", _bytes(b"\0\0\0\x08ftyp" + b"\0\0\0\x08free" * 100_000), *BROKEN),
        _case("elements in elements", _bytes(_ebml_nested(5_000), "film.mkv"), *BROKEN),
        _case("an element of unknown size", _bytes(b"\x1aE\xdf\xa3\x01" + b"\xff" * 7 + bytes(5000), "f.mkv"), *BROKEN),
        _case("magic alone", _bytes(b"\0\0\0\x18ftypmp42"), *BROKEN),
        _case("ogg magic alone", _bytes(b"OggS" * 500, "f.ogg"), *BROKEN),
        _case("transport stream of nothing", _bytes((b"\x47" + bytes(187)) * 5000, "f.ts"), *BROKEN),
        _case("transport stream of noise", _lazy(_ts_noise, "f.ts"), *BROKEN),
        _case("avi without a list", _bytes(b"RIFF\xff\xff\xff\xffAVI " + bytes(5000), "f.avi"), *BROKEN),
        _case("asf magic alone", _bytes(b"0&\xb2u\x8ef\xcf\x11" + bytes(5000), "f.wmv"), *BROKEN),
        _case("flv without tags", _bytes(b"FLV\x01\x05\0\0\0\x09" + bytes(5000), "f.flv"), *BROKEN),
    ]


def _poke(film: bytearray, box: bytes, offset: int, value: bytes, *, rename: bytes | None = None) -> None:
    """Overwrite bytes `offset` after the end of the first such box's name, or the name itself."""
    at = film.index(box, film.index(b"moov") if box != b"mdat" else 0)
    if rename:
        film[at : at + 4] = rename
        return
    first = at + 4 + offset - 4 if offset >= 0 else at + offset
    film[first : first + len(value)] = value


def _nested(depth: int) -> bytes:
    size = 8 * depth
    parts = [b"\0\0\0\x08ftyp"]
    for level in range(depth):
        parts.append((size - 8 * level).to_bytes(4) + b"moov")
    return b"".join(parts)


def _ebml_nested(depth: int) -> bytes:
    head = bytes.fromhex("1a45dfa39f4286810142f7810142f2810442f381084282886d6174726f736b614287810442858102")
    return head + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + b"\x12\x54\xc3\x67\x01\xff\xff\xff\xff\xff\xff\xff" * depth


def _ts_noise() -> bytes:
    chance = random.Random(1)
    return b"".join(b"\x47" + chance.randbytes(187) for _ in range(5000))


# --- films that are unusual, or too much ----------------------------------------------------------


def _odd(films: _Films) -> list[Case]:
    jump = [*range(0, 1000, 40), *range(400_000_000, 400_001_000, 40)]
    return [
        _case("a bomb of 16k x 16k pixels", _lazy(lambda: _bomb(16_384)), O.TOO_LARGE, O.NO_VIDEO),
        _case("a header of 65k x 65k pixels", _lazy(lambda: _wide(films(".mp4"))), O.OK, *BROKEN),
        _case("one pixel", lambda folder: write(folder / "f.mkv", size=(2, 2)), O.OK),
        _case("one frame", lambda folder: write(folder / "f.mp4", frames=1), O.OK, O.TRUNCATED, O.NO_VIDEO),
        _case("picture alone", lambda folder: write(folder / "f.mp4", sound=False), O.NO_AUDIO),
        _case("sound alone", lambda folder: write(folder / "f.mp4", picture=False), O.NO_VIDEO),
        _case("sound with a cover", _with_cover, O.NO_VIDEO),
        _case("five channels and one", lambda folder: write(folder / "f.mp4", channels="5.1"), O.OK),
        _case("a jump of days", lambda folder: write(folder / "f.mkv", times=jump), O.TOO_LARGE, O.TRUNCATED),
        _case("a thousand frames a second", lambda folder: write(folder / "f.mp4", fps=1000), O.TOO_LARGE),
        _case("a hundred tracks", _many_tracks, O.TOO_LARGE),
        _case(
            "a picture codec from a museum",
            lambda folder: write(folder / "f.avi", codecs=("ffv1", "aac")),
            O.UNKNOWN_CODEC,
        ),
        _case("honest, named like an option", _lazy(lambda: films(".mp4"), "-i.mp4"), O.OK),
        _case("honest, named like a protocol", _lazy(lambda: films(".mp4"), "concat:a|b.mp4"), O.OK),
        _case("honest, named with a new line", _lazy(lambda: films(".mp4"), "a\nb;rm -rf $HOME.mp4"), O.OK),
        _case("honest, named as a number format", _lazy(lambda: films(".mp4"), "%05d.mp4"), O.OK),
        _case("a film behind a film", _lazy(lambda: films(".mp4") * 2), O.OK, *BROKEN),
        _case("matroska named mp4", _lazy(lambda: films(".mkv")), O.OK),
        _case("noise after the film", _lazy(lambda: films(".mp4") + random.Random(2).randbytes(50_000)), O.OK, *BROKEN),
    ]


def _bomb(side: int) -> bytes:
    """Frames of one colour, some kilobytes for a quarter of a gigapixel: an AVI header that says so, and no data."""
    into = io.BytesIO()
    with av.open(into, "w", format="avi") as out:
        video = out.add_stream("mjpeg", rate=25)
        video.width = video.height = 64
        video.pix_fmt = "yuvj420p"
        audio = out.add_stream("mp3", rate=48_000, layout="mono")
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for part in _sounds("mono"):
            out.mux(audio.encode(part))
        out.mux(audio.encode(None))
    film = bytearray(into.getvalue())
    at = film.index(b"strf") + 8
    film[at + 4 : at + 12] = side.to_bytes(4, "little") * 2
    # The picture itself says so too: the start-of-frame marker of the JPEG holds height and width.
    sof = film.index(b"\xff\xc0") + 5
    film[sof : sof + 4] = side.to_bytes(2) * 2
    return bytes(film)


def _wide(film: bytes) -> bytes:
    patched = bytearray(film)
    at = patched.index(b"avc1") + 4 + 24
    patched[at : at + 4] = b"\xff\xff\xff\xff"
    return bytes(patched)


def _with_cover(folder: Path) -> Path:
    path = folder / "f.mp4"
    with av.open(str(path), "w") as out:
        audio = out.add_stream("aac", rate=48_000, layout="mono")
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        for part in _sounds("mono"):
            out.mux(audio.encode(part))
        out.mux(audio.encode(None))
        picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
        out.mux(cover.encode(picture))
        out.mux(cover.encode(None))
    return path


def _many_tracks(folder: Path) -> Path:
    path = folder / "f.mkv"
    with av.open(str(path), "w") as out:
        streams = [out.add_stream("pcm_s16le", rate=8000, layout="mono") for _ in range(100)]
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for frame in _pictures((64, 48), list(range(10)), rate=25):
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
            frame.sample_rate = 8000
            out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    return path


def _flipped(films: _Films) -> list[Case]:
    """Bits flipped by seed: in the index and in the data, of three containers."""

    def content(seed: int, suffix: str) -> bytes:
        chance, film = random.Random(seed), bytearray(films(suffix))
        for _ in range(1 << (seed % 8)):
            film[chance.randrange(12, len(film))] ^= 1 << chance.randrange(8)
        return bytes(film)

    suffixes = (".mp4", ".mkv", ".ts")
    return [
        _case(
            f"flipped bits {seed}",
            _lazy(lambda seed=seed: content(seed, suffixes[seed % 3]), f"f{suffixes[seed % 3]}"),
            O.OK,
            *BROKEN,
        )
        for seed in range(FLIPS)
    ]
