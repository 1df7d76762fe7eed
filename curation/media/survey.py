"""Read all packets of a file, without decoding any, for the clock that the analysis, the cut and the look go by.

It costs a few microseconds a packet, and is kept for as long as the process lives and the file stays as it is.
"""

from array import array
from collections import OrderedDict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from curation.media.clock import Clock, clock_of
from curation.media.container import open_media
from curation.media.decode import Kind, packets, time_us
from curation.media.failures import MediaFailure
from curation.media.settings import AnalysisSettings
from curation.media.stamps import UNKNOWN, Packets
from curation.media.timed import timed
from curation.outcomes import Outcome

KEPT = 4_096
"""Clocks that are kept; one is some hundred bytes."""

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
        clock = clock_of(*_read(path, settings))
        if key:
            _keep(_clocks, key, clock)
    _check("max_duration_s", clock.span_us / 1e6, settings)
    _check("max_fps", clock.fps, settings)
    return clock


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


def _read(path: Path, settings: AnalysisSettings) -> tuple[Packets, Packets]:
    tracks = {kind: _Track(settings.max_duration_s) for kind in Kind}
    with open_media(path, settings) as media:
        for place, (kind, packet) in enumerate(packets(media)):
            if packet.size:
                tracks[kind].add(packet, place)
    return tracks[Kind.PICTURE].packets(), tracks[Kind.SOUND].packets()


class _Track:
    """The stamps of one track, as they come."""

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s
        self._shown, self._decoded, self._place, self._key = array("q"), array("q"), array("q"), array("b")

    def add(self, packet: Any, place: int) -> None:
        base = packet.time_base
        self._shown.append(UNKNOWN if packet.pts is None else time_us(packet.pts, base))
        self._decoded.append(UNKNOWN if packet.dts is None else time_us(packet.dts, base))
        self._place.append(place)
        self._key.append(packet.is_keyframe)

    def packets(self) -> Packets:
        shown, decoded, place = (np.array(one, np.int64) for one in (self._shown, self._decoded, self._place))
        return Packets(shown, decoded, place, np.array(self._key, bool))


def _check(name: str, found: float, settings: AnalysisSettings) -> None:
    most = getattr(settings, name)
    if found > most:
        words = {"max_duration_s": "seconds long", "max_fps": "frames a second"}[name]
        raise MediaFailure(Outcome.TOO_LARGE, f"{found:.0f} {words}, where `analysis.{name}` is {most:.0f}")
