"""One timeline for a file, made of the stamps of its packets before anything is decoded.

Most files have one clock that both tracks follow, and then nothing is changed. Recordings that were joined have a clock
that begins anew: each such part is put where the one before it ends, picture and sound of a part by the same amount, as
if the parts were files that are played one after another. Where the two tracks do not begin anew together nobody can
say what belongs to what, and the file is refused.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from curation.media.restarts import back, keys_back, restarts
from curation.media.stamps import AROUND, MOSTLY, UNKNOWN, Packets, Times, broken, known, usual_step, without_strays

APART_US = 5_000_000
"""Picture and sound of a part that begin further apart have no clock in common [ours]."""

HOLE_US = 250_000
"""Pictures further apart, in a track whose others lie evenly, have lost what was between them [ours]."""

EVEN_SHARE, EVEN_WITHIN = 0.95, 0.1
"""So many distances of pictures that lie evenly differ from the usual one by no more than such a share [ours]."""

SOUND_HOLE_US = 60_000
"""Where so much of the sound is missing too, three packets or so, one lost picture is enough [ours]."""

EVERYWHERE = (-(1 << 62), 1 << 62)


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
        leaning_us: how long before such an instant pictures lean on what is missing, as B-frames do.
        strays: numbers of pictures whose stamp leaps away and back at once; it is taken for none.
        unread_bytes: how much of the file lies behind its last packet, if another file begins there.
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
    leaning_us: int = 0
    strays: frozenset[int] = frozenset()
    unread_bytes: int = 0

    @property
    def seekable(self) -> bool:
        """Whether an instant of the timeline can be looked for in the file, rather than counted from its beginning."""
        return len(self.parts) == 1 and not self.unstamped


def clock_of(picture: Packets, sound: Packets) -> Clock:
    """The timeline of a file.

    Raises:
        MediaFailure: BROKEN_CLOCK: the clocks of the tracks begin anew, and not together.
    """
    picture, strays = without_strays(picture)
    sound, _ = without_strays(sound)
    boundaries = restarts(picture, sound, usual_step(picture, sorted({*keys_back(picture), *back(picture)})))
    step_us = usual_step(picture, [first for first, _ in boundaries])
    parts = _placed(picture, sound, boundaries, step_us)
    moved = _moved(picture, parts, [one.picture for one in parts])
    stamped = np.sort(known(moved))
    unordered = bool((np.diff(known(picture.shown_us)) < 0).any())
    first_us = _first_us(picture, 0, boundaries[0][0] if boundaries else len(picture), step_us)
    end_us = int(stamped[-1]) + step_us if len(stamped) else len(picture) * step_us
    span_us = end_us - min(first_us, *map(int, stamped[:1]), end_us)
    return Clock(
        parts=parts,
        first_us=first_us,
        step_us=step_us,
        fps=len(picture) * 1e6 / (span_us if len(picture) >= AROUND else max(span_us, 1_000_000)),
        span_us=span_us,
        unstamped=len(stamped) < len(picture),
        unordered=unordered,
        uneven=bool((np.diff(stamped) < step_us // 2).any()),
        lost_us=_lost(stamped, _moved(sound, parts, [one.sound for one in parts]), step_us),
        leaning_us=_leaning(known(moved)) * step_us,
        strays=strays,
    )


def _placed(picture: Packets, sound: Packets, boundaries: list[tuple[int, int]], step_us: int) -> tuple[Part, ...]:
    """The parts, each where the pictures of the one before it end."""
    if not boundaries:
        return (Part(0, 0, 0),)
    starts = [(0, 0), *boundaries, (len(picture), len(sound))]
    if any(one[1] > other[1] for one, other in pairwise(starts)):
        raise broken("its picture and its sound begin anew in different orders")
    parts, end_us = list[Part](), EVERYWHERE[0]
    for (first, first_heard), (last, last_heard) in pairwise(starts):
        seen, heard = known(picture.shown_us[first:last]), known(sound.shown_us[first_heard:last_heard])
        if not len(seen):
            raise broken("a part of it has no stamp")
        if parts and len(heard) and not -APART_US <= heard[0] - seen.min() <= max(APART_US, np.ptp(seen)):
            raise broken("in a part of it picture and sound have no clock in common")
        shift_us = end_us - _first_us(picture, first, last, step_us) if parts else 0
        unstamped = int((picture.shown_us[first:last][::-1] != UNKNOWN).argmax())
        begins_us, end_us = end_us, int(seen.max()) + (1 + unstamped) * step_us + shift_us
        parts.append(Part(first, first_heard, shift_us, (begins_us, end_us)))
    last_part = parts[-1]
    parts[-1] = Part(last_part.picture, last_part.sound, last_part.shift_us, (last_part.within_us[0], EVERYWHERE[1]))
    return tuple(parts)


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
    return int(known(reach).min()) - (begin + _unstamped(reach)) * step_us


def _unstamped(shown_us: Times) -> int:
    """How many have no stamp at the beginning, where more have none than have one among them and those before them."""
    missing = np.cumsum(np.where(shown_us == UNKNOWN, 1, -1))
    last = len(missing) - int(missing[::-1].argmax()) if missing.max() >= 0 else 0
    return int((shown_us[:last] == UNKNOWN).sum())


def _leaning(shown_us: Times) -> int:
    """The most pictures that are decoded behind one and shown before it: so many lean on it."""
    rank = np.argsort(np.argsort(shown_us, kind="stable"), kind="stable")
    return int(np.clip((rank - np.arange(len(rank))).max(initial=0), 0, AROUND))


def _lost(shown_us: Times, sound_us: Times, step_us: int) -> tuple[int, ...]:
    """Instants of pictures behind which some are lost: by a hole in even ones, or in both tracks at once."""
    steps = np.diff(shown_us)
    wide = np.flatnonzero(2 * steps > 3 * step_us)
    if not len(wide):
        return ()
    even = float((np.abs(steps - step_us) <= EVEN_WITHIN * step_us).mean()) >= EVEN_SHARE
    begins, ends = _sound_holes(sound_us)
    return tuple(
        int(shown_us[at])
        for at in wide
        if (even and steps[at] > HOLE_US) or ((begins < shown_us[at + 1]) & (ends > shown_us[at])).any()
    )


def _sound_holes(sound_us: Times) -> tuple[Times, Times]:
    """Begin and end of the distances between packets of sound that are no wobble."""
    heard = np.sort(known(sound_us))
    if len(heard) < 2:
        return heard[:0], heard[:0]
    steps = np.diff(heard)
    holes = np.flatnonzero(steps > max(SOUND_HOLE_US, 2 * int(np.quantile(steps, 0.99))))
    return heard[holes], heard[holes + 1]
