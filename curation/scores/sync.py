"""Do sound and motion happen together, and if not, how far apart are they? A signal score for filmed video [ours].

Three seconds hold too few events to tell chance from cause, so a window is judged by its take, the shot around it (ten
to twenty seconds): which region of the picture moves with the sound at which lag (`curation.scores.synchrony`).
What is said of the window's own three seconds alone has `window` in its name. Events at irregular times agree at one
lag only; regular beats agree at many and steady sound at none, and both spread the posterior, as they should.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from curation.media.timeline import Timeline, Window
from curation.scores.base import Columns, Evidence, Need
from curation.scores.synchrony.clock import CLOCK_HZ
from curation.scores.synchrony.lags import Agreement, agreement, repeats, standing_out
from curation.scores.synchrony.posterior import IN_SYNC_S, MAX_OFFSET_S, offsets
from curation.scores.synchrony.regions import Seen, boxes, seen
from curation.scores.synchrony.sounds import Heard, heard

MIN_TAKE_S, MAX_TAKE_S = 10.0, 20.0
"""Shorter takes are judged with what lies around them, as an offset is mostly the file's and not the shot's; longer
ones in equal parts, as twenty seconds tell enough, and an offset may drift."""

RECOGNISED_S = 0.15
"""Further off than this a sound must be unlike itself for an offset to be told."""

CUE_PROMINENCE = 1.0
NOTHING: Columns = {
    "p_in_sync": 0.0, "offset_s": 0.0, "offset_confidence": 0.0, "p_no_cues": 1.0, "sync_at_zero": 0.0,
    "sync_peak": 0.0, "repeats": 0.0, "where_x": math.nan, "where_y": math.nan, "where_side": math.nan,
}  # fmt: skip
"""What is said of a take in which nothing moves, or nothing sounds."""


class SyncScore:
    """The posterior over offsets of the sound, and where in the picture it was found.

    `p_in_sync`: probability that picture and sound are within 60 ms of each other. `offset_s`: the likeliest offset
    within a second, positive when the sound is late. `offset_confidence`: probability within 60 ms of it. `p_no_cues`:
    probability that no offset can be told. `sync_at_zero`, `sync_peak`: by how many standard deviations agreement
    stands out at no offset, and at the likeliest (high for a film that is one second out of sync). `window_sync`,
    `window_offset_s`: agreement at no offset, and the lag of most agreement, of the window's own seconds alone.
    `repeats`: the sound's likeness to itself more than 0.15 s away; 1 for regular beats. `cues`: onsets a second that
    stand out. `where_x`, `where_y`, `where_side`: left, top and side of the square region that agreed best, as shares
    of the picture's width, height, and of both.
    """

    name = "sync"
    version = 4
    settings = ""
    needs = frozenset({Need.CURVES, Need.WAVEFORM})
    columns = (
        "p_in_sync", "offset_s", "offset_confidence", "p_no_cues", "sync_at_zero", "sync_peak", "window_sync",
        "window_offset_s", "repeats", "cues", "where_x", "where_y", "where_side",
    )  # fmt: skip
    evidence = Evidence.SYNCHRONY
    trends: ClassVar[Mapping[str, int]] = {"p_in_sync": 1, "sync_at_zero": 1, "window_sync": 1}

    def check(self) -> None:
        """Always available."""

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window; what windows of one take share is measured once."""
        known: dict[tuple[int, int, int], _Take] = {}
        found = []
        for window in batch:
            start_us, end_us = part_of_take(window)
            key = (id(window.timeline), start_us, end_us)
            if key not in known:
                known[key] = _take(window.timeline, start_us, end_us)
            found.append(known[key].columns | _own(known[key], window))
        return found


@dataclass(frozen=True, slots=True)
class _Take:
    """A part of a video judged as one: where it starts, its events, and what is said of all of its windows."""

    start_us: int
    picture: Seen
    sound: Heard
    columns: Columns


def part_of_take(window: Window) -> tuple[int, int]:
    """The span that a window is judged by: its take, if short with what lies around it, if long the part in which the
    window's middle lies; as far as there are both picture and sound."""
    line = window.timeline
    start_us, end_us = window.take_us or (0, line.duration_us)
    lacking_us = round(MIN_TAKE_S * 1e6) - (end_us - start_us)
    if lacking_us > 0:
        start_us = max(0, min(start_us - lacking_us // 2, line.duration_us - round(MIN_TAKE_S * 1e6)))
        end_us = min(line.duration_us, start_us + round(MIN_TAKE_S * 1e6))
    parts = max(1, math.ceil((end_us - start_us) / (MAX_TAKE_S * 1e6)))
    size_us = (end_us - start_us) / parts
    part = min(int(((window.start_us + window.end_us) / 2 - start_us) / size_us), parts - 1)
    first, last = round(start_us + part * size_us), round(start_us + (part + 1) * size_us)
    # Silence beside a sound that starts late would be the strongest event of all.
    sound_end_us = line.audio_start_us + len(line.waveform) * 1_000_000 // line.rate_hz
    first = max(first, line.audio_start_us)
    return first, max(first, min(last, sound_end_us))


def agreement_of(line: Timeline, start_us: int, end_us: int) -> Agreement | None:
    """How much picture and sound of a span agree at each lag; None where there is too little of either."""
    return agreement(seen(line, start_us, end_us), heard(line, start_us, end_us))


def _take(line: Timeline, start_us: int, end_us: int) -> _Take:
    picture, sound = seen(line, start_us, end_us), heard(line, start_us, end_us)
    return _Take(start_us, picture, sound, said_of(agreement(picture, sound), sound))


def said_of(found: Agreement | None, sound: Heard) -> Columns:
    """The columns that all windows of a take share."""
    if found is None:
        return dict(NOTHING)
    z = standing_out(found)
    posterior = offsets(found.lags_s, z)
    offset_s = posterior.likeliest_s()
    near = np.abs(found.lags_s) <= IN_SYNC_S + 1e-6
    left, top, side = boxes()[found.best_region(offset_s)]
    return {
        "p_in_sync": posterior.near(0.0),
        "offset_s": _refined(found.lags_s, z, offset_s),
        "offset_confidence": posterior.near(offset_s),
        "p_no_cues": posterior.none,
        "sync_at_zero": float(z[near].max()),
        "sync_peak": float(z[np.abs(found.lags_s - offset_s).argmin()]),
        "repeats": repeats(sound.changes, beyond_s=RECOGNISED_S),
        "where_x": float(left),
        "where_y": float(top),
        "where_side": float(side),
    }


def _own(take: _Take, window: Window) -> Columns:
    """What a window's own seconds say."""
    first, last = (round((at - take.start_us) * CLOCK_HZ / 1e6) for at in (window.start_us, window.end_us))
    first = max(first, 0)
    sound = take.sound.within(first, last)
    found = agreement(take.picture.within(first, last), sound)
    heard_cues = {"cues": cues(sound.changes)}
    if found is None:
        return {"window_sync": 0.0, "window_offset_s": 0.0} | heard_cues
    z = standing_out(found)
    told = np.abs(found.lags_s) <= MAX_OFFSET_S
    near = np.abs(found.lags_s) <= IN_SYNC_S + 1e-6
    return {
        "window_sync": float(z[near].max()),
        "window_offset_s": float(found.lags_s[told][z[told].argmax()]),
    } | heard_cues


def cues(changes: NDArray[np.float64]) -> float:
    """Onsets a second that rise clearly above the rest, of (ticks,) changes of the sound."""
    from scipy.signal import find_peaks

    if not np.any(changes):
        return 0.0
    peaks, _ = find_peaks(changes, prominence=max(CUE_PROMINENCE * float(changes.std()), 1e-9))
    return len(peaks) * CLOCK_HZ / len(changes)


def _refined(lags_s: NDArray[np.float64], z: NDArray[np.float64], offset_s: float) -> float:
    """The vertex of the parabola through a lag and its neighbours."""
    best = int(np.abs(lags_s - offset_s).argmin())
    if not 0 < best < len(z) - 1:
        return offset_s
    before, here, after = z[best - 1 : best + 2]
    bend = before - 2 * here + after
    shift = float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0
    return offset_s + shift / CLOCK_HZ
