"""The one way to decoded frames, shared by the analysis and the cut: both tracks in file order, faults told apart.

A packet that cannot be decoded is passed over, as a player would; a run of them, or a container that breaks off, is the
file's own fault and ends the pass with a typed outcome.
"""

from collections.abc import Iterator
from enum import StrEnum
from fractions import Fraction
from typing import Any

from curation.media.container import OpenMedia
from curation.media.failures import MediaFailure
from curation.media.streams import MAX_BROKEN_PACKETS
from curation.outcomes import Outcome

LEADS_US = (1_000_000, 16_000_000)
"""Decoding of a span begins so much earlier: codecs whose packets lean on the ones before settle within a second; the
longer way is for files whose tracks lie seconds apart. Where both come too late, decoding begins at the beginning."""

MISSING_SHARE = 0.05
MISSING_US = 500_000
"""A file that ends earlier than declared by more than both of these was cut short [ours]."""


class Kind(StrEnum):
    """Which track a frame belongs to."""

    PICTURE = "picture"
    SOUND = "sound"


def decoded(media: OpenMedia, *, one_picture: bool = False) -> Iterator[tuple[Kind, Any]]:
    """Every frame of both tracks with its presentation time; in order within each track.

    With `one_picture`, the sound and the first picture alone: the other pictures are read, but not decoded.

    Raises:
        MediaFailure: the container breaks off (TRUNCATED) or a decoder gives up (DECODE_FAILED).
    """
    import av

    broken, seen = dict.fromkeys(Kind, 0), False
    for packet in _packets(media):
        kind = Kind.PICTURE if packet.stream is media.video else Kind.SOUND
        if kind is Kind.PICTURE and seen:
            continue
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            broken[kind] += 1
            if broken[kind] > MAX_BROKEN_PACKETS:
                raise MediaFailure(Outcome.DECODE_FAILED, f"{broken[kind]} packets in a row: {error}") from error
            continue
        if frames:
            broken[kind] = 0
        for frame in frames:
            if kind is Kind.PICTURE:
                media.sight.see(frame)
            yield kind, frame
        seen = one_picture and (seen or (kind is Kind.PICTURE and bool(frames)))


def first_frame_us(media: OpenMedia) -> int:
    """The presentation time of the first frame: zero of every span.

    Raises:
        MediaFailure: there is none.
    """
    for kind, frame in decoded(media):
        if kind is Kind.PICTURE:
            return frame_time_us(frame) or 0
    raise MediaFailure(Outcome.NO_VIDEO, "not one frame of its picture track can be decoded")


def seek(media: OpenMedia, target_us: int) -> bool:
    """Go to a keyframe at or before an instant of the container's clock; whether the file can."""
    import av

    try:
        media.container.seek(target_us, backward=True)
    except av.FFmpegError:
        return False
    return True


def frame_time_us(frame: Any) -> int | None:
    """A frame's presentation time in whole microseconds on the container's clock; None if it carries none."""
    return None if frame.pts is None else time_us(frame.pts, frame.time_base)


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


def _packets(media: OpenMedia) -> Iterator[Any]:
    import av

    packets = media.container.demux(media.video, media.audio)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            raise MediaFailure(Outcome.TRUNCATED, f"the container breaks off: {error}") from error
        if packet is None:
            return
        yield packet
