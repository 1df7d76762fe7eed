"""Films whose pictures and samples tell their own time, with faults in their stamps: so a clip can be read.

A picture shows its number in black and white squares. A sample's value is its number: where a clip's picture begins,
the value of the sample there says how far the two lie apart, to the sample, and a value of zero is silence.
"""

import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.matroska import Block, Track, matroska
from curation.media.cut import CutClip

FPS, STEP_MS, FRAMES = 25, 40, 100
RATE_HZ, PACKET_MS = 8_000, 20
WIDTH_PX, HEIGHT_PX, BIT_PX = 64, 32, 8
LAST = 32_001
"""Sample n has the value n - LAST: never zero in four seconds."""

PART_FRAMES = 25
"""Parts are made of so many pictures, the first of which leans on none before it."""

LOST = ("picture", "sound", "both")
CODECS = {"mjpeg": "V_MJPEG", "libvpx": "V_VP8", "libx264": "V_MPEG4/ISO/AVC"}


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with the stamps of a film.

    Attributes:
        codec: of `CODECS`; only the last has B-frames.
        parts_ms: where the clock of each part begins; a part lasts a second or more, and all last four.
        wobble_ms: the sound's stamps lie off by up to so much, by chance.
        hole: first picture and number of pictures that are lost, with the sound, with `lost`.
        lost: tracks that lose packets: "", "picture", "sound" or "both".
        swapped: numbers of pictures that come after the next one in the file; each has its own stamp.
        alone_ms: the sound's clock alone goes back by so much in the middle; 0 it does not.
        stray: a picture whose stamp is an hour off; 0 none is.
        fps_told: what the header says of the rate; 0 says nothing.
        duration_told: so many times the true length is told; 0 says nothing.
        size_told: what the header says of width and height; 0 tells the truth.
        seed: of chance.
    """

    codec: str = "mjpeg"
    parts_ms: tuple[int, ...] = (0,)
    wobble_ms: int = 0
    hole: tuple[int, int] = (0, 0)
    lost: str = ""
    swapped: tuple[int, ...] = ()
    alone_ms: int = 0
    stray: int = 0
    fps_told: int = 0
    duration_told: float = 0.0
    size_told: int = 0
    seed: int = 0


def drawn(seed: int) -> Faults:
    """Faults by chance: one kind or several."""
    chance = random.Random(seed)
    kinds = {
        kind for kind in ("parts", "negative", "wobble", "hole", "swapped", "stray", "header") if chance.random() < 0.35
    }
    count = chance.choice((2, 3, 4)) if "parts" in kinds else 1
    begins = [chance.choice((0, 0, chance.randrange(5_000))) for _ in range(count)]
    # What has no stamp is given one by libav, by the rate in the header.
    if "negative" in kinds and "header" not in kinds:
        begins[0] = -chance.randrange(1, 900)
        kinds -= {"swapped"}
    codec = chance.choice(tuple(CODECS))
    # Where pictures lean on others, fewer lost ones than a quarter of a second's are not found out.
    fewest = 1 if codec == "mjpeg" else 7
    return Faults(
        codec=codec,
        parts_ms=tuple(begins),
        wobble_ms=chance.randrange(1, 61) if "wobble" in kinds else 0,
        hole=(chance.randrange(25 if begins[0] < 0 else 1, 70), chance.randrange(fewest, 30)),
        # Where B-frames hide it, a part that lacks its beginning is not told from the one before it.
        lost=chance.choice(LOST) if "hole" in kinds and (count == 1 or codec == "mjpeg") else "",
        swapped=tuple(sorted(chance.sample(range(2, 90, 3), 3))) if kinds & {"swapped", "stray"} == {"swapped"} else (),
        alone_ms=1_500 if count == 1 and chance.random() < 0.15 else 0,
        # Nor are pictures swapped then: nobody can say where one that has no stamp belongs.
        stray=chance.randrange(5, 95) if "stray" in kinds else 0,
        fps_told=chance.choice((1, 10, 1000)) if "header" in kinds else 0,
        duration_told=chance.choice((0.1, 1.0, 20.0)) if "header" in kinds else 0.0,
        seed=seed,
    )


def write(faults: Faults, path: Path) -> Path:
    """Write the film."""
    private, pictures = encoded(faults.codec)
    tracks = [
        Track(
            CODECS[faults.codec],
            private,
            (faults.size_told or WIDTH_PX, faults.size_told or HEIGHT_PX),
            frame_ns=round(1e9 / faults.fps_told) if faults.fps_told else 0,
        ),
        Track("A_PCM/INT/LIT", rate_hz=RATE_HZ),
    ]
    blocks = [block for part in range(len(faults.parts_ms)) for block in _part(faults, part, pictures)]
    told = faults.duration_told * FRAMES * STEP_MS if faults.duration_told else None
    path.write_bytes(matroska(tracks, blocks, duration_ms=told))
    return path


def _part(faults: Faults, part: int, pictures: Sequence["Picture"]) -> Iterator[Block]:
    """The packets of a part, interleaved by their true times, each with the stamp that it gets."""
    edges = [round(part * 4 / len(faults.parts_ms)) * PART_FRAMES for part in range(len(faults.parts_ms) + 1)]
    first, last = edges[part], edges[part + 1]
    shift_ms = faults.parts_ms[part] - first * STEP_MS
    chance = random.Random(faults.seed * 31 + part)
    inside = [one for one in pictures if first <= one.number < last]
    if faults.codec == "mjpeg":
        for at in faults.swapped:
            if first < at < last - 2:
                inside[at - first], inside[at - first + 1] = inside[at - first + 1], inside[at - first]
    seen = [
        (order * STEP_MS, Block(0, _picture_ms(faults, one.number) + shift_ms, one.data, one.key))
        for order, one in enumerate(inside, first)
        if not _is_lost(faults, "picture", one.number * STEP_MS)
    ]
    heard = []
    for at_ms in range(first * STEP_MS, last * STEP_MS, PACKET_MS):
        if not _is_lost(faults, "sound", at_ms):
            off_ms = chance.randint(-faults.wobble_ms, faults.wobble_ms)
            off_ms -= faults.alone_ms if at_ms >= 2_000 else 0
            heard.append((at_ms, Block(1, at_ms + shift_ms + off_ms, samples(at_ms))))
    yield from (block for _, block in sorted([*seen, *heard], key=lambda one: (one[0], one[1].track)))


def _picture_ms(faults: Faults, number: int) -> int:
    return number * STEP_MS + (3_600_000 if faults.stray and number == faults.stray else 0)


def _is_lost(faults: Faults, track: str, at_ms: int) -> bool:
    first, count = faults.hole
    return faults.lost in (track, "both") and first * STEP_MS <= at_ms < (first + count) * STEP_MS


def samples(at_ms: int) -> bytes:
    """A packet of the sound: each sample tells its number."""
    first = at_ms * RATE_HZ // 1000
    return (np.arange(first, first + PACKET_MS * RATE_HZ // 1000) - LAST).astype("<i2").tobytes()


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture, its number, and whether it leans on none."""

    number: int
    data: bytes
    key: bool


@cache
def encoded(codec: str) -> tuple[bytes, tuple[Picture, ...]]:
    """The codec's private data and all pictures in the order of decoding."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as container:
        video = container.add_stream(codec, rate=FPS)
        video.width, video.height = WIDTH_PX, HEIGHT_PX
        video.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        video.codec_context.gop_size = PART_FRAMES
        video.options = {
            "libx264": {"crf": "10", "bf": "2", "preset": "ultrafast", "x264-params": "scenecut=0:open-gop=0"},
            "libvpx": {"crf": "4", "b": "1M", "deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "0"},
        }.get(codec, {"qscale": "2"})
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(_drawn(number), format="gray").reformat(format=video.pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    out.seek(0)
    with av.open(out) as container:
        private = bytes(container.streams.video[0].codec_context.extradata or b"")
        packets = [one for one in container.demux(video=0) if one.size and one.pts is not None]
        pictures = tuple(
            Picture(round(float(one.pts * one.time_base) * FPS), bytes(one), bool(one.is_keyframe)) for one in packets
        )
    return private, pictures


def _drawn(number: int) -> NDArray[np.uint8]:
    bits = [number >> bit & 1 for bit in range(WIDTH_PX // BIT_PX)]
    row = np.repeat(np.array([235 if bit else 16 for bit in bits], np.uint8), BIT_PX)
    return np.repeat(row[None], HEIGHT_PX, axis=0)


@dataclass(frozen=True, slots=True)
class Told:
    """What a published clip shows and plays: (frames,) their times and true times, and true times of the sound there.

    Attributes:
        at_ms: when each picture is shown.
        seen_ms: when it was taken.
        heard_ms: when the sound at that instant was taken; NaN where it is silent.
    """

    at_ms: NDArray[np.float64]
    seen_ms: NDArray[np.float64]
    heard_ms: NDArray[np.float64]

    @property
    def apart_ms(self) -> NDArray[np.float64]:
        """(frames that are not silent,) how far picture and sound lie apart."""
        return np.abs(self.seen_ms - self.heard_ms)[~np.isnan(self.heard_ms)]


def read(clip: CutClip) -> Told:
    """Read a clip's own word on its timing."""
    import av

    at, seen = list[float](), list[float]()
    with av.open(io.BytesIO(clip.mp4)) as container:
        for frame in container.decode(video=0):
            at.append(1000 * float(frame.time))
            luma = frame.to_ndarray(format="gray")[HEIGHT_PX // 2]
            bits = luma.reshape(-1, BIT_PX)[:, 2:6].mean(axis=1) > 128
            seen.append(STEP_MS * sum(int(bit) << place for place, bit in enumerate(bits)))
    with av.open(io.BytesIO(clip.flac)) as container:
        wave = np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])
    there = wave[np.minimum(np.rint(np.array(at) * RATE_HZ / 1000).astype(int), len(wave) - 1)].astype(float)
    return Told(np.array(at), np.array(seen), np.where(there == 0, np.nan, (there + LAST) * 1000 / RATE_HZ))
