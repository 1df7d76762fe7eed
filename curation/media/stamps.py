"""The stamps of a file's packets: what they are, how far pictures lie apart, and which of them are none."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.media.failures import MediaFailure
from curation.outcomes import Outcome

BACK_US = 250_000
"""A clock that goes back by more begins anew; live capture wobbles by less [ours]."""

UNORDERED_BACK_US = 1_000_000
"""The same where only presentation times are known, which codecs with B-frames do not have in order [ours]."""

AHEAD_US = 10_000_000
"""A clock of both tracks that leaps by more begins anew; a shorter leap is a hole. FFmpeg's `-dts_delta_threshold`."""

NEAR = 4
"""So many packets on either side of a place say what a clock does there [ours]."""

AROUND = 16
"""So many packets back lies the picture that is shown last before one (H.264, A.3.1) [ours for other codecs]."""

MOSTLY = 0.5
"""Fewer keyframes than this, and pictures lean on others [ours]."""

USUAL_US = 40_000
"""How long a picture lasts where no stamp says so."""

UNKNOWN = np.iinfo(np.int64).min

Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Packets:
    """The packets of one track in the order of the file, times in microseconds, `UNKNOWN` where there is none.

    Attributes:
        shown_us: when each is presented.
        decoded_us: when each is decoded.
        place: the number of each among the packets of both tracks.
        key: whether each leans on none before it.
    """

    shown_us: Times
    decoded_us: Times
    place: Times
    key: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.place)


def without_strays(track: Packets) -> tuple[Packets, frozenset[int]]:
    """The same without stamps that leap away and come back at once, and whose those are."""
    times = np.where(track.decoded_us != UNKNOWN, track.decoded_us, track.shown_us)
    # Where a file has no time of decoding, libav makes one up from all that are shown, in which no stray is seen.
    stray = _alone(times, UNORDERED_BACK_US) | _alone(track.shown_us, AHEAD_US)
    if not stray.any():
        return track, frozenset()
    shown, decoded = track.shown_us.copy(), track.decoded_us.copy()
    shown[stray] = decoded[stray] = UNKNOWN
    return Packets(shown, decoded, track.place, track.key), frozenset(map(int, np.flatnonzero(stray)))


def _alone(times: Times, away_us: int) -> NDArray[np.bool_]:
    """Which stamps leap away by more and come back at once."""
    found, stamped = np.zeros(len(times), bool), np.flatnonzero(times != UNKNOWN)
    if len(stamped) < 2 * NEAR:
        return found
    leaps = np.diff(times[stamped])
    away = np.abs(leaps) > away_us
    # A part may begin or end beside it.
    back = np.abs(leaps[:-1] + leaps[1:]) < np.maximum(BACK_US, np.abs(leaps[:-1]) // 10)
    alone = np.zeros(len(stamped), bool)
    alone[1:-1] = away[:-1] & away[1:] & back
    # No recording is one packet long.
    alone[[0, -1]] = np.abs(leaps[[0, -1]]) > AHEAD_US
    found[stamped[alone]] = True
    return found


def usual_step(picture: Packets, firsts: list[int]) -> int:
    """How far pictures usually lie apart, part by part."""
    steps = np.concatenate([np.diff(np.unique(known(part))) for part in np.split(picture.shown_us, firsts)])
    return max(1, int(np.median(steps))) if len(steps) else USUAL_US


def known(times: Times) -> Times:
    """The times without those that are not."""
    found: Times = times[times != UNKNOWN]
    return found


def broken(why: str) -> MediaFailure:
    """The file is refused: what belongs together is lost."""
    return MediaFailure(Outcome.BROKEN_CLOCK, why)
