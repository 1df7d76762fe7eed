"""Read all packets of a file, without decoding any, for the clock that the analysis, the cut and the look go by.

It costs a few microseconds a packet, and is kept for as long as the process lives and the file stays as it is.
"""

import re
from array import array
from collections import OrderedDict
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from curation.media.clock import Clock, clock_of
from curation.media.container import open_media, too_large
from curation.media.decode import Kind, packets, time_us
from curation.media.failures import MediaFailure
from curation.media.settings import AnalysisSettings
from curation.media.stamps import UNKNOWN, Packets
from curation.media.timed import timed
from curation.outcomes import Outcome

KEPT = 4_096
"""Clocks that are kept; one is some hundred bytes."""

BEHIND_BYTES = 1 << 20
"""Another file is looked for so far behind the last packet [ours]: an index may come first."""

_BEGINNING = re.compile(rb"\0\0\0.ftyp|\x1a\x45\xdf\xa3|FLV\x01[\x01\x04\x05]\0\0\0\x09", re.S)
"""How MP4, Matroska and FLV begin; of transport and program streams libav reads all that there is."""

_Key = tuple[str, int, int]
T = TypeVar("T")

_clocks: OrderedDict[_Key, Clock] = OrderedDict()
_origins: OrderedDict[_Key, int] = OrderedDict()


def survey(path: Path, settings: AnalysisSettings | None = None) -> Clock:
    """The clock of a file; what is too long or too fast by its own stamps is refused.

    Raises:
        MediaFailure: as `open_media`, or the clock is broken, or the container breaks off.
    """
    settings = settings or AnalysisSettings()
    # It says best whether there is such a file.
    key = _identity(path) if path.is_file() else None
    clock = _clocks.get(key) if key else None
    if clock is None:
        picture, sound, end = _read(path, settings)
        clock = replace(clock_of(picture, sound), unread_bytes=_unread_bytes(path, end))
        if key:
            _keep(_clocks, key, clock)
    _check("max_duration_s", clock.span_us / 1e6, settings)
    _check("max_fps", clock.fps, settings)
    return clock


def forget() -> None:
    """Read the packets of every file anew when it is asked for next."""
    _clocks.clear()
    _origins.clear()


def first_picture_us(path: Path, clock: Clock, settings: AnalysisSettings | None = None) -> int:
    """The presentation time of a file's first picture: zero of every span.

    Raises:
        MediaFailure: there is none.
    """
    key = _identity(path)
    if key not in _origins:
        with open_media(path, settings) as media:
            frames = timed(media, clock, one_picture=True)
            first = next((one.at_us for one in frames if one.kind is Kind.PICTURE), None)
        if first is None:
            raise MediaFailure(Outcome.NO_VIDEO, "not one frame of its picture track can be decoded")
        _keep(_origins, key, first)
    return _origins[key]


def _keep(kept: OrderedDict[_Key, T], key: _Key, value: T) -> None:
    kept[key] = value
    if len(kept) > KEPT:
        kept.popitem(last=False)


def _identity(path: Path) -> tuple[str, int, int]:
    found = path.stat()
    return str(path.absolute()), found.st_size, found.st_mtime_ns


def _read(path: Path, settings: AnalysisSettings) -> tuple[Packets, Packets, int]:
    """The packets of picture and sound, and where in the file the last of them ends."""
    end = 0
    with open_media(path, settings) as media:
        tracks = {Kind.PICTURE: _Track(media.video.time_base), Kind.SOUND: _Track(media.audio.time_base)}
        for place, (kind, packet) in enumerate(packets(media)):
            if packet.size:
                tracks[kind].add(packet, place)
                end = max(end, (packet.pos or 0) + packet.size)
    picture, sound = tracks[Kind.PICTURE].packets(), tracks[Kind.SOUND].packets()
    for outcome, track in ((Outcome.NO_VIDEO, picture), (Outcome.NO_AUDIO, sound)):
        if not len(track):
            raise MediaFailure(outcome, "not one packet of it is there")
    return picture, sound, end


def _unread_bytes(path: Path, end: int) -> int:
    """How much lies behind a place in a file if another file begins there: libav does not read that."""
    with path.open("rb") as file:
        file.seek(end)
        behind = file.read(BEHIND_BYTES)
        found = _BEGINNING.search(behind)
        return file.seek(0, 2) - end - found.start() if found else 0


class _Track:
    """The stamps of one track, as they come."""

    def __init__(self, base: Fraction) -> None:
        self._base = base
        self._shown, self._decoded, self._place, self._key = array("q"), array("q"), array("q"), array("b")

    def add(self, packet: Any, place: int) -> None:
        self._shown.append(UNKNOWN if packet.pts is None else time_us(packet.pts, self._base))
        self._decoded.append(UNKNOWN if packet.dts is None else time_us(packet.dts, self._base))
        self._place.append(place)
        self._key.append(packet.is_keyframe)

    def packets(self) -> Packets:
        shown, decoded, place = (np.array(one, np.int64) for one in (self._shown, self._decoded, self._place))
        return Packets(shown, decoded, place, np.array(self._key, bool))


def _check(name: str, found: float, settings: AnalysisSettings) -> None:
    if found > getattr(settings, name):
        words = {"max_duration_s": "seconds long", "max_fps": "frames a second"}[name]
        raise too_large(found, name, words, settings)
