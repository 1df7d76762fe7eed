"""Where clocks begin anew: recordings that were joined, found by the stamps of their packets."""

from collections.abc import Iterator

import numpy as np

from curation.media.stamps import (
    AHEAD_US,
    AROUND,
    BACK_US,
    MOSTLY,
    NEAR,
    UNKNOWN,
    UNORDERED_BACK_US,
    Packets,
    Times,
    broken,
    known,
)

INTERLEAVED_US = 750_000
"""What belongs together lies no further apart in a file: FFmpeg's `-muxdelay` is 0.7 s."""

FEWEST = 2
"""Of pictures around a place so few may have stamps [ours]; one alone may have changed places with the next."""

SHORT_US = 100_000
"""There picture and sound may go back by amounts that differ by so much [ours]: they seldom end at once."""

MOST_PARTS = 1_000
"""More are no recordings that were joined, but noise [ours]."""


def restarts(picture: Packets, sound: Packets, step_us: int) -> list[tuple[int, int]]:
    """Where clocks begin anew: the first packets of picture and of sound of each part but the first."""
    seen, heard = _jumps(picture), _jumps(sound)
    for at, match, leap_us in _short_jumps(picture, sound, step_us):
        if all(abs(at - one) >= NEAR for one, _ in seen) and all(abs(match - one) >= NEAR for one, _ in heard):
            seen, heard = sorted([*seen, (at, leap_us)]), sorted([*heard, (match, leap_us)])
    if len(seen) > MOST_PARTS or len(heard) > MOST_PARTS:
        raise broken(f"its clock begins anew {max(len(seen), len(heard))} times")
    found, left = list[tuple[int, int]](), dict(heard)
    for number, (at, leap_us) in enumerate(seen):
        after = picture.place[seen[number + 1][0]] if number + 1 < len(seen) else len(picture) + len(sound)
        before = picture.place[seen[number - 1][0]] if number else -1
        near = [
            one
            for one in left
            if before < sound.place[one] < after
            and (left[one] > 0) == (leap_us > 0)
            and _pictures_between(picture, at, int(sound.place[one])) * step_us <= INTERLEAVED_US
        ]
        if near:
            match = min(near, key=lambda one: abs(int(sound.place[one] - picture.place[at])))
            del left[match]
            found.append((at, match))
        elif leap_us < 0:
            found.append((at, _first_heard(sound, int(picture.place[at]), before=before, after=after)))
    if any(leap_us < 0 for leap_us in left.values()):
        raise broken("the clock of its sound begins anew where that of its picture goes on")
    return found


def _pictures_between(picture: Packets, at: int, place: int) -> int:
    """How many pictures lie between one and a place in the file."""
    return abs(int(np.searchsorted(picture.place, place)) - at)


def _first_heard(sound: Packets, place: int, *, before: int, after: int) -> int:
    """The first packet of sound of a part whose sound does not leap: there is none in it, or none before it."""
    begin = int(np.searchsorted(sound.place, place))
    if begin == len(sound) or sound.place[begin] > after or begin == 0 or sound.place[begin - 1] < before:
        return begin
    raise broken("the clock of its picture begins anew where that of its sound goes on")


def _jumps(track: Packets) -> list[tuple[int, int]]:
    """Packets at which a track's clock goes back, or leaps ahead, and by how much."""
    ordered = track.decoded_us != UNKNOWN
    times = np.where(ordered, track.decoded_us, track.shown_us)
    stamped = np.flatnonzero(times != UNKNOWN)
    leaps = np.diff(times[stamped])
    exact = ordered[stamped[1:]] & ordered[stamped[:-1]]
    leapt = (leaps < np.where(exact, -BACK_US, -UNORDERED_BACK_US)) | (leaps > AHEAD_US)
    return [(int(stamped[at + 1]), int(leaps[at])) for at in np.flatnonzero(leapt)]


def _short_jumps(picture: Packets, sound: Packets, step_us: int) -> Iterator[tuple[int, int, int]]:
    """Packets of picture and of sound at which both clocks go back by less than a restart, and stay there; how much."""
    heard = sound.decoded_us
    if len(known(heard)) < 2 * NEAR:
        return
    beat_us = int(np.median(np.diff(known(heard))))
    for at, leap_us in _pictures_back(picture, step_us):
        near = np.arange(1, len(heard))
        near = near[np.abs(np.searchsorted(picture.place, sound.place[near - 1]) - at) * step_us <= INTERLEAVED_US]
        leaps = [(leap, int(one)) for one in near if (leap := _leap(heard, int(one), beat_us, fewest=NEAR)) is not None]
        # A restart may be near too, which is another leap.
        alike = [one for one in leaps if abs(one[0] - leap_us) <= SHORT_US]
        if leap_us < -step_us // 2 and alike:
            yield at, min(alike)[1], leap_us


def _pictures_back(picture: Packets, step_us: int) -> Iterator[tuple[int, int]]:
    """Pictures at which the clock goes back, and by how much."""
    shown = picture.shown_us
    for at in keys_back(picture):
        yield at, int(shown[at] - shown[max(0, at - AROUND) : at].max() - step_us)
    for at in back(picture):
        leap_us = _leap(picture.decoded_us, at, step_us, fewest=FEWEST)
        if leap_us is not None:
            yield at, leap_us


def keys_back(picture: Packets) -> list[int]:
    """Keyframes that are shown before what comes before them in the file: in a recording it is the other way round."""
    if picture.key.mean() >= MOSTLY:
        return []
    shown, latest = picture.shown_us, np.maximum.accumulate(picture.shown_us)
    early = picture.key[1:] & (shown[1:] <= latest[:-1]) & (shown[1:] != UNKNOWN)
    return [int(at) + 1 for at in np.flatnonzero(early)]


def back(picture: Packets) -> list[int]:
    """Pictures that are decoded before the one before them; none where libav has no stamps of decoding for B-frames."""
    decoded = picture.decoded_us
    found = [int(at) + 1 for at in np.flatnonzero((decoded[1:] < decoded[:-1]) & (decoded[1:] != UNKNOWN))]
    return found if picture.key.mean() >= MOSTLY or len(found) * AROUND <= len(picture) else []


def _leap(times: Times, at: int, step_us: int, *, fewest: int) -> int | None:
    """By how much `NEAR` even times from a packet on are off what those before it say; None if fewer are known."""
    first = max(0, at - NEAR)
    around = times[first : at + NEAR]
    offsets, stamped = around - step_us * np.arange(len(around)), around != UNKNOWN
    before, after = (offsets[part][stamped[part]] for part in (slice(at - first), slice(at - first, None)))
    return int(np.median(after) - np.median(before)) if min(len(before), len(after)) >= fewest else None
