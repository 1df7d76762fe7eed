"""A Matroska file of any packets with any stamps, which no muxer would write: they put clocks in order, or refuse."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Track:
    """A track's head: `codec` is Matroska's name; a picture has a size in pixels, a sound a rate."""

    codec: str
    private: bytes = b""
    size_px: tuple[int, int] | None = None
    rate_hz: int = 0
    frame_ns: int = 0
    """How long each frame lasts by the header; 0 says nothing."""


@dataclass(frozen=True, slots=True)
class Block:
    """A packet: `track` counts from 0, `at_ms` may be anything down to -32,768."""

    track: int
    at_ms: int
    data: bytes
    key: bool = True


def matroska(tracks: Sequence[Track], blocks: Sequence[Block], *, duration_ms: float | None = None) -> bytes:
    """The file: blocks in the order given, each in a cluster of its own, so that a stamp may be far from the last."""
    head = _element(0x4282, b"matroska") + _number(0x4287, 4) + _number(0x4285, 2)
    told = _element(0x4489, struct.pack(">d", duration_ms)) if duration_ms is not None else b""
    info = _element(0x1549A966, _number(0x2AD7B1, 1_000_000) + told)
    entries = b"".join(_entry(number, track) for number, track in enumerate(tracks, 1))
    clusters = b"".join(map(_cluster, blocks))
    return _element(0x1A45DFA3, head) + _element(0x18538067, info + _element(0x1654AE6B, entries) + clusters)


def _entry(number: int, track: Track) -> bytes:
    body = _number(0xD7, number) + _number(0x73C5, number) + _element(0x86, track.codec.encode())
    body += _element(0x63A2, track.private) if track.private else b""
    body += _number(0x23E383, track.frame_ns) if track.frame_ns else b""
    if track.size_px:
        width, height = track.size_px
        return _element(0xAE, body + _number(0x83, 1) + _element(0xE0, _number(0xB0, width) + _number(0xBA, height)))
    sound = _element(0xB5, struct.pack(">d", track.rate_hz)) + _number(0x9F, 1) + _number(0x6264, 16)
    return _element(0xAE, body + _number(0x83, 2) + _element(0xE1, sound))


def _cluster(block: Block) -> bytes:
    begin = max(0, block.at_ms)
    simple = bytes([0x80 | (block.track + 1)]) + struct.pack(">hB", block.at_ms - begin, 0x80 * block.key)
    return _element(0x1F43B675, _number(0xE7, begin) + _element(0xA3, simple + block.data))


def _number(name: int, value: int) -> bytes:
    return _element(name, value.to_bytes(max(1, (value.bit_length() + 7) // 8)))


def _element(name: int, body: bytes) -> bytes:
    return name.to_bytes((name.bit_length() + 7) // 8) + (len(body) | 1 << 56).to_bytes(8) + body
