"""Decoded frames on the file's one timeline: what the analysis, the cut and the look all go by.

Stamps are moved before decoding, part by part, so decoders carry the right ones. Pictures then get a time each, in
order: those without a stamp lie between their neighbours; where stamps are not in order either they are sorted (a codec
with B-frames knows the order of its pictures, whatever an AVI file stamps them with) or, in other codecs, the pictures.
"""

import heapq
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from curation.media.clock import EVERYWHERE, Clock
from curation.media.container import OpenMedia
from curation.media.decode import Decoder, Kind, counts_turns, frame_time_us, packets

REORDERED = 16
"""Pictures that a codec may hold back (H.264, A.3.1: 16 frames), so no stamp lies further off."""


class Timed(NamedTuple):
    """A frame and its place.

    Attributes:
        kind, frame: which track, and PyAV's frame.
        at_us: when it is presented; None for sound without a stamp, which goes on where the frame before it ends.
        within_us: the span in which a sound counts.
        smeared: whether a picture leans on others that are lost or damaged.
    """

    kind: Kind
    frame: Any
    at_us: int | None
    within_us: tuple[int, int]
    smeared: bool


def timed(media: OpenMedia, clock: Clock, *, from_start: bool = True, one_picture: bool = False) -> Iterator[Timed]:
    """Every frame of both tracks; pictures in order, each later than the one before it.

    Args:
        media: the file, at its beginning, or at where `seek` led in one whose clock is `seekable`.
        clock: its clock.
        from_start: whether it is at its beginning.
        one_picture: the sound and the first picture alone; the other pictures are read, but not decoded.

    Raises:
        MediaFailure: the container breaks off (TRUNCATED) or a decoder gives up (DECODE_FAILED).
    """
    decoder, tracks = Decoder(), (_Sounds(media, clock), _Pictures(media, clock, from_start=from_start))
    sounds, pictures = tracks
    seen = False
    for kind, packet in packets(media):
        if kind is Kind.SOUND:
            yield from sounds.take(packet, decoder)
        elif not seen:
            for one in islice(pictures.take(packet, decoder), 1 if one_picture else None):
                yield one
                seen = one_picture
    if not seen:
        yield from islice(pictures.rest(), 1 if one_picture else None)


class _Moved:
    """Moves the stamps of one track's packets, part by part; counts them from the beginning of the file."""

    def __init__(self, clock: Clock, kind: Kind) -> None:
        self._parts = clock.parts
        self._firsts = [one.picture if kind is Kind.PICTURE else one.sound for one in clock.parts]
        self._counts = not clock.seekable
        self.number = -1
        self.part = 0

    def take(self, packet: Any) -> bool:
        """Give a packet its stamps; whether a part begins with it."""
        if not self._counts or not packet.size:
            return False
        self.number += 1
        before = self.part
        while self.part + 1 < len(self._firsts) and self.number >= self._firsts[self.part + 1]:
            self.part += 1
        if shift_us := self._parts[self.part].shift_us:
            ticks = round(shift_us / 1_000_000 / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        return self.part != before


class _Sounds:
    def __init__(self, media: OpenMedia, clock: Clock) -> None:
        self._codec, self._clock = media.audio.codec_context, clock
        self._moved = _Moved(clock, Kind.SOUND)

    def take(self, packet: Any, decoder: Decoder) -> Iterator[Timed]:
        within = self._within()
        if self._moved.take(packet):
            # What sounds across the seam of two recordings belongs to neither.
            for frame in self._codec.decode(None):
                yield Timed(Kind.SOUND, frame, frame_time_us(frame), within, False)
            self._codec.flush_buffers()
            within = self._within()
        for frame in decoder.frames(Kind.SOUND, packet) or ():
            yield Timed(Kind.SOUND, frame, frame_time_us(frame), within, False)

    def _within(self) -> tuple[int, int]:
        return self._clock.parts[self._moved.part].within_us


class _Pictures:
    def __init__(self, media: OpenMedia, clock: Clock, *, from_start: bool) -> None:
        self._clock, self._sight, self._by_turn = clock, media.sight, counts_turns(media)
        self._moved = _Moved(clock, Kind.PICTURE)
        self._filled = _Filled(clock, from_start=from_start)
        self._sorted = _Sorted(clock, by_codec=bool(media.video.codec_context.has_b_frames))
        self._lost = deque(clock.lost_us)
        self._damaged = self._holed = False
        self._last_us: int | None = None

    def take(self, packet: Any, decoder: Decoder) -> Iterator[Timed]:
        # A part that begins in the middle leans on pictures that are not there; one with a keyframe does not.
        self._damaged |= self._moved.take(packet)
        if self._moved.number in self._clock.strays:
            packet.pts = packet.dts = None
        frames = decoder.frames(Kind.PICTURE, packet)
        self._damaged |= packet.is_corrupt or frames is None
        for frame in frames or ():
            self._sight.see(frame)
            self._damaged = self._damaged and not frame.key_frame
            seen = _Seen(frame, self._damaged or frame.is_corrupt)
            at_us = frame_time_us(frame, by_turn=self._by_turn)
            if at_us is not None and not self._sorted.sorts and self._filled.stands(at_us):
                # Nearly all pictures of nearly all files; the longer way costs as much as looking at a small one.
                if one := self._in_turn(seen, at_us):
                    yield one
            else:
                yield from self._placed(self._filled.put(seen, at_us))

    def rest(self) -> Iterator[Timed]:
        yield from self._placed(self._filled.rest())
        yield from self._later(self._sorted.rest())

    def _placed(self, pictures: "list[_Placed]") -> Iterator[Timed]:
        for seen, at_us in pictures:
            yield from self._later(self._sorted.put(seen, at_us))

    def _later(self, pictures: "list[_Placed]") -> Iterator[Timed]:
        yield from filter(None, (self._in_turn(seen, at_us) for seen, at_us in pictures))

    def _in_turn(self, seen: "_Seen", at_us: int) -> Timed | None:
        """A picture, if it is later than the one before it."""
        if self._last_us is not None and at_us <= self._last_us:
            return None
        while self._lost and at_us > self._lost[0]:
            # Also where the decoder gives nothing of what comes before: whatever leans on that is not whole.
            self._holed = True
            self._lost.popleft()
        self._holed = self._holed and not seen.frame.key_frame
        # B-frames lean on a picture that is shown after them, and are decoded after a keyframe that is shown before.
        leans = bool(self._lost) and at_us > self._lost[0] - self._clock.leaning_us and not seen.frame.key_frame
        self._last_us = at_us
        return Timed(Kind.PICTURE, seen.frame, at_us, EVERYWHERE, seen.damaged or self._holed or leans)


class _Seen(NamedTuple):
    """A picture as its decoder gave it, and whether damage shows in it."""

    frame: Any
    damaged: bool


_Placed = tuple[_Seen, int]


class _Filled:
    """Gives a time to pictures without a stamp: between their neighbours, or a usual distance from the one before."""

    def __init__(self, clock: Clock, *, from_start: bool) -> None:
        self._step_us = clock.step_us
        self._last_us = clock.first_us - clock.step_us if from_start else None
        self._waiting = list[_Seen]()

    def stands(self, at_us: int) -> bool:
        """Whether a stamp is the picture's time, since none before it waits for one."""
        if self._waiting:
            return False
        self._last_us = at_us
        return True

    def put(self, frame: _Seen, at_us: int | None) -> list[_Placed]:
        if at_us is not None and self.stands(at_us):
            return [(frame, at_us)]
        if self._last_us is None:
            return []
        if at_us is None:
            self._waiting.append(frame)
            return self.rest() if len(self._waiting) > REORDERED else []
        fits = self._last_us + len(self._waiting) * self._step_us < at_us
        placed = self._steps(self._step_us if fits else (at_us - self._last_us) // (len(self._waiting) + 1))
        self._last_us = at_us
        return [*placed, (frame, at_us)]

    def rest(self) -> list[_Placed]:
        return self._steps(self._step_us)

    def _steps(self, step_us: int) -> list[_Placed]:
        placed = []
        for frame in self._waiting:
            self._last_us = (self._last_us or 0) + step_us
            placed.append((frame, self._last_us))
        self._waiting.clear()
        return placed


class _Sorted:
    """Sorts stamps, or pictures by their stamps, within what a codec may hold back."""

    def __init__(self, clock: Clock, *, by_codec: bool) -> None:
        self._by_codec = by_codec
        # Stamps in the order of decoding may be those of a container that knows no other: it can be told from neither.
        self.sorts = clock.uneven or not clock.unordered if by_codec else clock.unordered
        self._frames = deque[_Seen]()
        self._stamps = list[tuple[int, int, _Seen]]()
        self._count = 0

    def put(self, frame: _Seen, at_us: int) -> list[_Placed]:
        if not self.sorts:
            return [(frame, at_us)]
        self._count += 1
        self._frames.append(frame)
        heapq.heappush(self._stamps, (at_us, self._count, frame))
        return [self._next()] if len(self._stamps) > REORDERED else []

    def rest(self) -> list[_Placed]:
        return [self._next() for _ in range(len(self._stamps))]

    def _next(self) -> _Placed:
        at_us, _, frame = heapq.heappop(self._stamps)
        ordered = self._frames.popleft()
        return (ordered if self._by_codec else frame), at_us
