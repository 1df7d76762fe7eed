"""Copies of a film whose packets of picture stay as they are, while its sound is moved or is another film's.

Nothing is decoded or encoded, so a twin differs from its film in nothing but its fault, and is a file like those that
people upload: the sound of one that is late begins late and ends with the picture.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.media.container import open_media
from curation.media.decode import time_us
from curation.media.survey import first_picture_us, survey

MATROSKA = frozenset({".mkv", ".webm"})
EDITS_HZ = "90000"
"""Clock of MP4's edit lists, which say where a track begins; its usual milliseconds would move sound by half a one."""

Track = Callable[[Any], Iterable[Any]]
"""Adds a stream to an open output and gives its packets."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a film's picture lies on its container's clock: its first frame as shown, and its end."""

    first_us: int
    end_us: int


def suffix(path: Path) -> str:
    """How twins of a film are called: MP4 hides what edit lists hide, Matroska holds every codec."""
    return ".mkv" if path.suffix.lower() in MATROSKA else ".mp4"


def extent(path: Path) -> Extent:
    """Where a film's picture begins, and where its last frame ends by its packets' stamps.

    Raises:
        MediaFailure: it cannot be decoded.
    """
    first = first_picture_us(path, survey(path))
    with open_media(path) as media:
        end = max(time_us(one.pts + (one.duration or 0), one.time_base) for one in _stamped(media, media.video))
    return Extent(first, end)


def remux(picture: Path, sound: Path, out: Path, *, late_us: int = 0) -> None:
    """Write `out`: the picture of one film, the sound of another (or its own), so much later.

    Packets of sound that would begin before the first frame or after the last one are left out. Another film's sound
    is repeated until the picture ends.

    Raises:
        MediaFailure: a film cannot be decoded.
    """
    place = extent(picture)
    with open_media(picture) as seen, open_media(sound) as heard:
        packets = list(_stamped(heard, heard.audio))
        if picture != sound:
            packets = _looped(packets, place)
        for packet in packets:
            late = round(late_us / 1e6 / packet.time_base)
            packet.pts, packet.dts = packet.pts + late, packet.pts + late
        kept = [one for one in packets if place.first_us <= time_us(one.pts, one.time_base) < place.end_us]
        write(out, copied(seen.video, _stamped(seen, seen.video)), copied(heard.audio, kept))


def own_picture(media: Any) -> Track:
    """The picture of an open film, as it is."""
    return copied(media.video, _stamped(media, media.video))


def own_sound(media: Any) -> Track:
    """The sound of an open film, as it is."""
    return copied(media.audio, _stamped(media, media.audio))


def copied(template: Any, packets: Iterable[Any]) -> Track:
    """Packets with their stamps as they are, into a stream like another."""

    def track(target: Any) -> Iterable[Any]:
        stream = target.add_stream_from_template(template)
        found = list(packets)
        for packet in found:
            packet.stream = stream
        return found

    return track


def write(out: Path, *tracks: Track) -> None:
    """Write tracks into one file, which appears whole or not at all."""
    import av

    aside = out.with_name(f".{out.name}{out.suffix}")
    options = {"movie_timescale": EDITS_HZ} if out.suffix == ".mp4" else {}
    with av.open(str(aside), "w", options=options) as target:
        packets = [one for track in tracks for one in track(target)]
        for packet in sorted(packets, key=lambda one: one.dts * one.time_base):
            target.mux(packet)
    aside.replace(out)


def _stamped(media: Any, stream: Any) -> Iterator[Any]:
    """The packets of a track; a stamp that the file leaves out is filled with the other."""
    for packet in media.container.demux(stream):
        if packet.size and (packet.dts is not None or packet.pts is not None):
            packet.pts = packet.dts if packet.pts is None else packet.pts
            packet.dts = packet.pts if packet.dts is None else packet.dts
            yield packet


def _looped(packets: list[Any], place: Extent) -> list[Any]:
    """Another film's packets from its first one on, again and again until the picture ends."""
    import av

    first, last = packets[0], packets[-1]
    base, origin = first.time_base, first.pts
    length = last.pts + (last.duration or 0) - origin
    start, end = round(place.first_us / 1e6 / base), round(place.end_us / 1e6 / base)
    found: list[Any] = []
    for turn in range(max(1, -(-(end - start) // length))):
        for packet in packets:
            again = av.Packet(bytes(packet))
            again.time_base, again.duration, again.is_keyframe = base, packet.duration, packet.is_keyframe
            again.pts = again.dts = start + turn * length + packet.pts - origin
            found.append(again)
    return found
