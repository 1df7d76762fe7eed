"""Put a picture track and a sound track that came as files of their own into one file, without decoding either.

Only packets are copied; still the demuxers read untrusted bytes, so this runs in a worker. The tracks keep their places
on the clock that they share. Equal input gives equal bytes.
"""

import errno
import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curation.media.container import open_track
from curation.media.declared import declared_us
from curation.media.decode import check_reached, time_us
from curation.media.failures import MediaFailure
from curation.outcomes import Outcome
from shards.files import FULL

CLOCKLESS = frozenset({"mp3", "aac", "flac", "wav"})
"""Bare sound has no clock; it begins with the picture."""

APART_S = 1.0
"""Tracks that begin further apart are taken to have clocks of their own, and to begin together [ours]."""

TORN = frozenset({"mpegts", "mpeg"})
"""Demuxers that call a packet corrupt where a stream was merely tuned in to; elsewhere its bytes are missing."""


@dataclass(frozen=True, slots=True)
class Joined:
    """What was put together: packets of each track, bytes of both, and which other tracks gave way."""

    pictures: int
    sounds: int
    bytes: int
    notes: str = ""


@dataclass(slots=True)
class _Track:
    """A track being read: PyAV's stream, and what its clock shows at the new file's beginning, in ticks."""

    stream: Any
    demuxer: str
    path: Path
    origin: int = 0
    reached: int = 0
    """How far the packets that were read reach, from its beginning."""

    @property
    def begins_s(self) -> float:
        return float((self.stream.start_time or 0) * self.stream.time_base)

    def set_origin(self, seconds: float) -> None:
        self.origin = round(seconds / self.stream.time_base)

    def check_complete(self) -> None:
        """Whether it is as long as it says; how long bare sound is, libav only guesses."""
        if self.demuxer in CLOCKLESS:
            return
        declared, _ = declared_us(self.stream, self.path)
        # Some containers count from zero, some from the first packet.
        check_reached(time_us(max(self.reached, self.reached + self.origin), self.stream.time_base), declared)


def join(picture: Path, sound: Path, *, into: Path, most_bytes: int) -> Joined:
    """Write the picture track of one file and the sound track of another, as `streams` chooses them, as Matroska.

    Raises:
        MediaFailure: a file is no media, lacks its track or breaks off, the packets are more than `most_bytes`, or do
            not fit into the container.
    """
    import av

    with open_track(picture, "video") as (video, one, passed), open_track(sound, "audio") as (audio, other, by):
        tracks = (_Track(video, one, picture), _Track(audio, other, sound))
        _set_origins(*tracks)
        try:
            with av.open(str(into), "w", format="matroska", options={"fflags": "+bitexact"}) as out:
                return replace(_copy(tracks, out, most_bytes), notes="; ".join(passed + by))
        except av.FFmpegError as error:
            raise MediaFailure(_why(error), f"the tracks cannot be put together: {error}") from error


def _set_origins(picture: _Track, sound: _Track) -> None:
    begin = picture.begins_s, sound.begins_s
    if picture.demuxer in CLOCKLESS or sound.demuxer in CLOCKLESS or abs(begin[0] - begin[1]) > APART_S:
        picture.set_origin(begin[0])
        sound.set_origin(begin[1])
    else:
        for track in (picture, sound):
            track.set_origin(min(begin))


def _copy(tracks: tuple[_Track, _Track], out: Any, most_bytes: int) -> Joined:
    # As they are, whether or not there is an encoder for them here.
    copies = [out.add_stream_from_template(track.stream, opaque=True) for track in tracks]
    counts, there = [0, 0], 0
    sources = (_packets(track, number) for number, track in enumerate(tracks))
    for _, number, packet in heapq.merge(*sources, key=lambda one: one[:2]):
        there += packet.size
        if there > most_bytes:
            raise MediaFailure(Outcome.TOO_LARGE, f"its packets are more than {most_bytes} bytes")
        counts[number] += 1
        packet.stream = copies[number]
        out.mux(packet)
    if not all(counts):
        raise MediaFailure(Outcome.NO_AUDIO if counts[0] else Outcome.NO_VIDEO, "its track holds no packet")
    return Joined(counts[0], counts[1], there)


def _packets(track: _Track, number: int) -> Iterator[tuple[float, int, Any]]:
    """A track's packets in the order of decoding, with their time in seconds and the track's number."""
    import av

    last = -(1 << 62)
    packets = track.stream.container.demux(track.stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            raise MediaFailure(Outcome.TRUNCATED, f"its {track.stream.type} breaks off: {error}") from error
        if packet is None:
            track.check_complete()
            return
        if not packet.size:
            continue
        if packet.is_corrupt and track.demuxer not in TORN:
            raise MediaFailure(Outcome.TRUNCATED, f"its {track.stream.type} ends within a packet")
        last = _place(packet, track.origin, last)
        track.reached = max(track.reached, packet.pts + (packet.duration or 0))
        yield float(last * packet.time_base), number, packet


def _place(packet: Any, origin: int, last: int) -> int:
    """Move a packet to its place on the new clock; returns its decoding time, which is later than `last`."""
    at = packet.dts if packet.dts is not None else packet.pts
    if at is None:
        raise MediaFailure(Outcome.DECODE_FAILED, "a packet has no time")
    # Where a stream was stitched together a packet may come again a little too early, which no container takes.
    dts = int(max(at - origin, last + 1))
    packet.pts = max((at if packet.pts is None else packet.pts) - origin, dts)
    packet.dts = dts
    return dts


def _why(error: Exception) -> Outcome:
    number = getattr(error, "errno", None)
    if number in FULL:
        return Outcome.DISK_FULL
    return Outcome.TOO_LARGE if number == errno.EFBIG else Outcome.DECODE_FAILED
