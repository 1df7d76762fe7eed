"""One timeline for a file, made of the stamps of its packets before anything is decoded.

Most files have one clock that both tracks follow, and then nothing is changed. Recordings that were joined have a clock
that begins anew: each such part is put where the one before it ends, picture and sound of a part by the same amount, as
if the parts were files that are played one after another. Where the two tracks do not begin anew together nobody can
say what belongs to what, and the file is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

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

APART_US = 5_000_000
"""Picture and sound of a part that begin further apart have no clock in common [ours]."""

INTERLEAVED_US = 750_000
"""What belongs together lies no further apart in a file: FFmpeg's `-muxdelay` is 0.7 s."""

NEAR = 4
"""Packets on either side of a place where both clocks go back by little [ours] ..."""

FEWEST = 2
"""... of pictures so many may be all that have stamps: one alone may have changed places with the next."""

SHORT_US = 100_000
"""There picture and sound may go back by amounts that differ by so much [ours]: they seldom end at once."""

AROUND = 16
"""So many packets back lies the picture that is shown last before one (H.264, A.3.1) ..."""

MOSTLY = 0.5
"""... where fewer of the pictures lean on none [ours]."""

MOST_PARTS = 1_000
"""More are no recordings that were joined, but noise [ours]."""

USUAL_US = 40_000
"""How long a picture lasts where no stamp says so."""

HOLE_US = 250_000
"""Pictures further apart, in a track whose others lie evenly, have lost what was between them [ours]."""

EVEN_SHARE, EVEN_WITHIN = 0.95, 0.1
"""So many distances of pictures that lie evenly differ from the usual one by no more than such a share [ours]."""

LEANING = 3
"""B-frames before a hole lean on the picture behind it: so many, as x264 has them by default."""

SOUND_HOLE_US = 60_000
"""Where so much of the sound is missing too, three packets or so, one lost picture is enough [ours]."""

UNKNOWN = np.iinfo(np.int64).min
EVERYWHERE = (-(1 << 62), 1 << 62)

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


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the file with a clock of its own.

    Attributes:
        picture, sound: the numbers of its first packets among those of their tracks.
        shift_us: what is added to its stamps.
        within_us: where its sound counts on the new clock: what lies outside of its pictures lies under another part's.
    """

    picture: int
    sound: int
    shift_us: int
    within_us: tuple[int, int] = EVERYWHERE


@dataclass(frozen=True, slots=True)
class Clock:
    """How stamps become times.

    Attributes:
        parts: one in most files.
        first_us: when the first picture is shown, if its own stamp does not say so.
        step_us: how far pictures usually lie apart.
        fps: pictures a second, by their number; of very few, over a second at least.
        span_us: from the first picture to the end of the last.
        unstamped: whether pictures lack a stamp.
        unordered: whether the stamps of pictures go back in the order of the file, as those of B-frames do.
        uneven: whether pictures lie much closer together than usual.
        lost_us: instants behind which pictures are missing.
        strays: numbers of pictures whose stamp leaps away and back at once; it is taken for none.
    """

    parts: tuple[Part, ...]
    first_us: int
    step_us: int
    fps: float
    span_us: int
    unstamped: bool
    unordered: bool
    uneven: bool
    lost_us: tuple[int, ...] = ()
    strays: frozenset[int] = frozenset()

    @property
    def seekable(self) -> bool:
        """Whether an instant of the timeline can be looked for in the file, rather than counted from its beginning."""
        return len(self.parts) == 1 and not self.unstamped


def clock_of(picture: Packets, sound: Packets) -> Clock:
    """The timeline of a file.

    Raises:
        MediaFailure: BROKEN_CLOCK: the clocks of the tracks begin anew, and not together.
    """
    picture, strays = _without_strays(picture)
    sound, _ = _without_strays(sound)
    boundaries = _boundaries(picture, sound, _usual_step(picture, sorted({*_keys_back(picture), *_back(picture)})))
    step_us = _usual_step(picture, [first for first, _ in boundaries])
    parts = _placed(picture, sound, boundaries, step_us)
    times = np.sort(_moved(picture, parts, [one.picture for one in parts]))
    known = times[times != UNKNOWN]
    unordered = bool((np.diff(_known(picture.shown_us)) < 0).any())
    first_us = _first_us(picture, 0, boundaries[0][0] if boundaries else len(picture), step_us)
    end_us = int(known[-1]) + step_us if len(known) else len(picture) * step_us
    span_us = end_us - min(first_us, *map(int, known[:1]), end_us)
    return Clock(
        parts=parts,
        first_us=first_us,
        step_us=step_us,
        fps=len(picture) * 1e6 / (span_us if len(picture) >= AROUND else max(span_us, 1_000_000)),
        span_us=span_us,
        unstamped=len(known) < len(picture),
        unordered=unordered,
        uneven=bool((np.diff(known) < step_us // 2).any()),
        lost_us=_lost(known, _moved(sound, parts, [one.sound for one in parts]), step_us, leaning=LEANING * unordered),
        strays=strays,
    )


def _boundaries(picture: Packets, sound: Packets, step_us: int) -> list[tuple[int, int]]:
    """Where clocks begin anew: the first packets of picture and of sound of each part but the first."""
    seen, heard = _jumps(picture), _jumps(sound)
    for at, match, leap_us in _short_jumps(picture, sound, step_us):
        if all(abs(at - one) >= NEAR for one, _ in seen) and all(abs(match - one) >= NEAR for one, _ in heard):
            seen, heard = sorted([*seen, (at, leap_us)]), sorted([*heard, (match, leap_us)])
    if len(seen) > MOST_PARTS or len(heard) > MOST_PARTS:
        raise _broken(f"its clock begins anew {max(len(seen), len(heard))} times")
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
        raise _broken("the clock of its sound begins anew where that of its picture goes on")
    return found


def _pictures_between(picture: Packets, at: int, place: int) -> int:
    """How many pictures lie between one and a place in the file."""
    return abs(int(np.searchsorted(picture.place, place)) - at)


def _first_heard(sound: Packets, place: int, *, before: int, after: int) -> int:
    """The first packet of sound of a part whose sound does not leap: there is none in it, or none before it."""
    begin = int(np.searchsorted(sound.place, place))
    if begin == len(sound) or sound.place[begin] > after or begin == 0 or sound.place[begin - 1] < before:
        return begin
    raise _broken("the clock of its picture begins anew where that of its sound goes on")


def _jumps(track: Packets) -> list[tuple[int, int]]:
    """Packets at which a track's clock goes back, or leaps ahead, and by how much."""
    ordered = track.decoded_us != UNKNOWN
    times = np.where(ordered, track.decoded_us, track.shown_us)
    known = np.flatnonzero(times != UNKNOWN)
    leaps = np.diff(times[known])
    exact = ordered[known[1:]] & ordered[known[:-1]]
    leapt = (leaps < np.where(exact, -BACK_US, -UNORDERED_BACK_US)) | (leaps > AHEAD_US)
    return [(int(known[at + 1]), int(leaps[at])) for at in np.flatnonzero(leapt)]


def _short_jumps(picture: Packets, sound: Packets, step_us: int) -> Iterator[tuple[int, int, int]]:
    """Packets of picture and of sound at which both clocks go back by less than a restart, and stay there; how much."""
    heard = sound.decoded_us
    if len(_known(heard)) < 2 * NEAR:
        return
    beat_us = int(np.median(np.diff(_known(heard))))
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
    for at in _keys_back(picture):
        yield at, int(shown[at] - shown[max(0, at - AROUND) : at].max() - step_us)
    for at in _back(picture):
        leap_us = _leap(picture.decoded_us, at, step_us, fewest=FEWEST)
        if leap_us is not None:
            yield at, leap_us


def _keys_back(picture: Packets) -> list[int]:
    """Keyframes that are shown before what comes before them in the file: in a recording it is the other way round."""
    if picture.key.mean() >= MOSTLY:
        return []
    shown, latest = picture.shown_us, np.maximum.accumulate(picture.shown_us)
    back = picture.key[1:] & (shown[1:] <= latest[:-1]) & (shown[1:] != UNKNOWN)
    return [int(at) + 1 for at in np.flatnonzero(back)]


def _back(picture: Packets) -> list[int]:
    """Pictures that are decoded before the one before them; none where libav has no stamps of decoding for B-frames."""
    decoded = picture.decoded_us
    back = [int(at) + 1 for at in np.flatnonzero((decoded[1:] < decoded[:-1]) & (decoded[1:] != UNKNOWN))]
    return back if picture.key.mean() >= MOSTLY or len(back) * AROUND <= len(picture) else []


def _leap(times: Times, at: int, step_us: int, *, fewest: int) -> int | None:
    """By how much `NEAR` even times from a packet on are off what those before it say; None if fewer are known."""
    offsets = times - step_us * np.arange(len(times))
    known = times != UNKNOWN
    before, after = (offsets[part][known[part]] for part in (slice(max(0, at - NEAR), at), slice(at, at + NEAR)))
    return int(np.median(after) - np.median(before)) if min(len(before), len(after)) >= fewest else None


def _placed(picture: Packets, sound: Packets, boundaries: list[tuple[int, int]], step_us: int) -> tuple[Part, ...]:
    """The parts, each where the pictures of the one before it end."""
    if not boundaries:
        return (Part(0, 0, 0),)
    starts = [(0, 0), *boundaries, (len(picture), len(sound))]
    if any(one[1] > other[1] for one, other in pairwise(starts)):
        raise _broken("its picture and its sound begin anew in different orders")
    parts, end_us = list[Part](), EVERYWHERE[0]
    for (first, first_heard), (last, last_heard) in pairwise(starts):
        seen, heard = _known(picture.shown_us[first:last]), _known(sound.shown_us[first_heard:last_heard])
        if not len(seen):
            raise _broken("a part of it has no stamp")
        if parts and len(heard) and not -APART_US <= heard[0] - seen.min() <= max(APART_US, np.ptp(seen)):
            raise _broken("in a part of it picture and sound have no clock in common")
        shift_us = end_us - _first_us(picture, first, last, step_us) if parts else 0
        unstamped = int((picture.shown_us[first:last][::-1] != UNKNOWN).argmax())
        begins_us, end_us = end_us, int(seen.max()) + (1 + unstamped) * step_us + shift_us
        parts.append(Part(first, first_heard, shift_us, (begins_us, end_us)))
    last_part = parts[-1]
    parts[-1] = Part(last_part.picture, last_part.sound, last_part.shift_us, (last_part.within_us[0], EVERYWHERE[1]))
    return tuple(parts)


def _without_strays(track: Packets) -> tuple[Packets, frozenset[int]]:
    """The same without stamps that leap away and come back at once, and whose those are."""
    times = np.where(track.decoded_us != UNKNOWN, track.decoded_us, track.shown_us)
    known = np.flatnonzero(times != UNKNOWN)
    if len(known) < 2 * NEAR:
        return track, frozenset()
    leaps = np.diff(times[known])
    away = np.abs(leaps) > UNORDERED_BACK_US
    # A part may begin or end beside it.
    back = np.abs(leaps[:-1] + leaps[1:]) < np.maximum(BACK_US, np.abs(leaps[:-1]) // 10)
    alone = np.zeros(len(known), bool)
    alone[1:-1] = away[:-1] & away[1:] & back
    # No recording is one packet long.
    alone[[0, -1]] = np.abs(leaps[[0, -1]]) > AHEAD_US
    if not alone.any():
        return track, frozenset()
    stray = known[alone]
    shown, decoded = track.shown_us.copy(), track.decoded_us.copy()
    shown[stray] = decoded[stray] = UNKNOWN
    return Packets(shown, decoded, track.place, track.key), frozenset(map(int, stray))


def _moved(track: Packets, parts: tuple[Part, ...], firsts: list[int]) -> Times:
    """When each packet is shown on the timeline."""
    part = np.searchsorted(firsts, np.arange(len(track)), side="right") - 1
    shifts = np.array([one.shift_us for one in parts], np.int64)[part]
    moved: Times = np.where(track.shown_us == UNKNOWN, UNKNOWN, track.shown_us + shifts)
    return moved


def _first_us(picture: Packets, first: int, last: int, step_us: int) -> int:
    """When the first picture of a part is shown, if it has no stamp: so many pictures before the first that has one."""
    shown_us = picture.shown_us[first:last]
    stamped = np.flatnonzero(shown_us != UNKNOWN)
    if not len(stamped):
        return 0
    # What is decoded behind the first stamped one, and yet shown before it, is there within the reach of B-frames.
    begin = int(stamped[0])
    reach = shown_us[begin : begin + AROUND] if picture.key.mean() < MOSTLY else shown_us[begin : begin + 1]
    return int(_known(reach).min()) - (begin + _unstamped(reach)) * step_us


def _unstamped(shown_us: Times) -> int:
    """How many have no stamp at the beginning, where more have none than have one among them and those before them."""
    missing = np.cumsum(np.where(shown_us == UNKNOWN, 1, -1))
    last = len(missing) - int(missing[::-1].argmax()) if missing.max() >= 0 else 0
    return int((shown_us[:last] == UNKNOWN).sum())


def _usual_step(picture: Packets, firsts: list[int]) -> int:
    """How far pictures usually lie apart, part by part."""
    steps = np.concatenate([np.diff(np.unique(_known(part))) for part in np.split(picture.shown_us, firsts)])
    return max(1, int(np.median(steps))) if len(steps) else USUAL_US


def _lost(shown_us: Times, sound_us: Times, step_us: int, *, leaning: int) -> tuple[int, ...]:
    """Instants of pictures behind which some are lost: by a hole in even ones, or in both tracks at once."""
    steps = np.diff(shown_us)
    wide = np.flatnonzero(2 * steps > 3 * step_us)
    if not len(wide):
        return ()
    even = float((np.abs(steps - step_us) <= EVEN_WITHIN * step_us).mean()) >= EVEN_SHARE
    begins, ends = _sound_holes(sound_us)
    lost = [
        int(shown_us[at])
        for at in wide
        if (even and steps[at] > HOLE_US) or ((begins < shown_us[at + 1]) & (ends > shown_us[at])).any()
    ]
    return tuple(sorted({*lost, *(at - leaning * step_us for at in lost)}))


def _sound_holes(sound_us: Times) -> tuple[Times, Times]:
    """Begin and end of the distances between packets of sound that are no wobble."""
    heard = np.sort(_known(sound_us))
    if len(heard) < 2:
        return heard[:0], heard[:0]
    steps = np.diff(heard)
    holes = np.flatnonzero(steps > max(SOUND_HOLE_US, 2 * int(np.quantile(steps, 0.99))))
    return heard[holes], heard[holes + 1]


def _known(times: Times) -> Times:
    known: Times = times[times != UNKNOWN]
    return known


def _broken(why: str) -> MediaFailure:
    return MediaFailure(Outcome.BROKEN_CLOCK, why)
