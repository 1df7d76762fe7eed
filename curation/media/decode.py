"""The one way to decoded frames: both tracks in file order, faults told apart.

A packet that cannot be decoded is passed over, as a player would; a run of them, or a container that breaks off, is the
file's own fault and ends the pass with a typed outcome.
"""

from collections.abc import Iterator
from enum import StrEnum
from fractions import Fraction
from typing import Any

from curation.media.clock import Clock
from curation.media.container import OpenMedia
from curation.media.failures import MediaFailure
from curation.media.streams import MAX_BROKEN_PACKETS
from curation.outcomes import Outcome


class Kind(StrEnum):
    """Which track a frame belongs to."""

    PICTURE = "picture"
    SOUND = "sound"


LEADS_US = (1_000_000, 16_000_000)
"""Decoding of a span begins so much earlier: codecs whose packets lean on the ones before settle within a second; the
longer way is for files whose tracks lie seconds apart. Where both come too late, decoding begins at the beginning."""

SAME_RATE = 0.1
"""A rate in the header that differs by less is taken for the true one [ours]."""

GUESSED_US = {Kind.PICTURE: 0, Kind.SOUND: -100_000}
"""Earlier stamps of Matroska are libav's guess from a rate in the header; what a codec delays sound by is less."""

MISSING_SHARE = 0.05
MISSING_US = 500_000
"""A file that ends earlier than declared by more than both of these was cut short [ours]."""


class Decoder:
    """Decodes packets of both tracks; what cannot be decoded is passed over, a run of it ends the pass."""

    def __init__(self) -> None:
        self._broken = dict.fromkeys(Kind, 0)

    def frames(self, kind: Kind, packet: Any) -> list[Any] | None:
        """What a packet makes a decoder give; None if it cannot be decoded.

        Raises:
            MediaFailure: DECODE_FAILED: the decoder has given up.
        """
        import av

        try:
            frames: list[Any] = packet.decode()
        except av.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            self._broken[kind] += 1
            if self._broken[kind] > MAX_BROKEN_PACKETS:
                raise MediaFailure(Outcome.DECODE_FAILED, f"{self._broken[kind]} packets in a row: {error}") from error
            return None
        if frames:
            self._broken[kind] = 0
        return frames


def frame_rate(media: OpenMedia, clock: Clock) -> Fraction:
    """Pictures a second: what the header says if the stamps do not say otherwise, which are coarser, but true."""
    said = media.video.average_rate or media.video.guessed_rate
    found = (clock.fps, 1e6 / clock.step_us)
    if said and any(abs(said / one - 1) < SAME_RATE for one in found):
        return Fraction(said)
    return Fraction(1_000_000, clock.step_us).limit_denominator(1_001)


def seek(media: OpenMedia, target_us: int) -> bool:
    """Go to a keyframe at or before an instant of the container's clock; whether the file can."""
    import av

    try:
        media.container.seek(target_us, backward=True)
    except av.FFmpegError:
        return False
    return True


def frame_time_us(frame: Any, *, by_turn: bool = False) -> int | None:
    """A frame's presentation time in whole microseconds on the container's clock; None if it carries none.

    With `by_turn` it is shown when the packet that made the decoder give it has its turn.
    """
    at = frame.dts if by_turn else frame.pts
    return None if at is None else time_us(at, frame.time_base)


def counts_turns(media: OpenMedia) -> bool:
    """Whether a file numbers its pictures as they are decoded, and says nothing of when they are shown: AVI.

    Then libav makes up presentation times, and players show each picture when the decoder gives it, which is a picture
    or two after its own packet where there are B-frames.
    """
    return bool(media.container.format.name == "avi")


def time_us(pts: int, time_base: Fraction) -> int:
    """A presentation time in whole microseconds, halves rounded up."""
    # Integers: exact Fraction arithmetic would cost more than looking at the frame.
    scaled, divisor = pts * time_base.numerator * 1_000_000, time_base.denominator
    return (2 * scaled + divisor) // (2 * divisor)


def check_reached(found_us: int, declared_us: int) -> None:
    """Compare how far a file was read with how long it says it is.

    Raises:
        MediaFailure: `TRUNCATED`: much of it is missing.
    """
    if found_us < declared_us - max(MISSING_US, MISSING_SHARE * declared_us):
        raise MediaFailure(Outcome.TRUNCATED, f"{found_us / 1e6:.2f} s of {declared_us / 1e6:.2f} s are there")


def packets(media: OpenMedia) -> Iterator[tuple[Kind, Any]]:
    """The packets of both tracks in the order of the file; the last of each is empty and drains its decoder.

    Raises:
        MediaFailure: TRUNCATED: the container breaks off.
    """
    import av

    found, video = media.container.demux(media.video, media.audio), media.video.index
    unsigned, by_turn = "matroska" in media.container.format.name, counts_turns(media)
    # In the track's ticks: asking each packet for its clock costs as much as a demuxer does.
    bases = {Kind.PICTURE: media.video.time_base, Kind.SOUND: media.audio.time_base}
    guessed = {kind: GUESSED_US[kind] / 1_000_000 / base for kind, base in bases.items()}
    while True:
        try:
            packet = next(found, None)
        except av.FFmpegError as error:
            raise MediaFailure(Outcome.TRUNCATED, f"the container breaks off: {error}") from error
        if packet is None:
            return
        # The empty packet that drains a decoder has 0 for `stream_index`, whichever its track is.
        kind = Kind.PICTURE if packet.stream.index == video else Kind.SOUND
        if unsigned and packet.pts is not None and packet.pts < guessed[kind]:
            packet.pts = packet.dts = None
        if by_turn and kind is Kind.PICTURE:
            packet.pts = packet.dts
        yield kind, packet
