"""Frames as decoders give them, for what has to see a film without the product's clock."""

from collections.abc import Iterator
from typing import Any

from curation.media.container import OpenMedia
from curation.media.decode import Decoder, Kind, packets


def decoded(media: OpenMedia, *, one_picture: bool = False) -> Iterator[tuple[Kind, Any]]:
    """Every frame of both tracks with its own stamp; `curation.media.timed` puts them on one clock.

    With `one_picture`, the sound and the first picture alone: the other pictures are read, but not decoded.

    Raises:
        MediaFailure: the container breaks off (TRUNCATED) or a decoder gives up (DECODE_FAILED).
    """
    decoder, seen = Decoder(), False
    for kind, packet in packets(media):
        if kind is Kind.PICTURE and seen:
            continue
        frames = decoder.frames(kind, packet) or []
        for frame in frames:
            if kind is Kind.PICTURE:
                media.sight.see(frame)
            yield kind, frame
        seen = one_picture and (seen or (kind is Kind.PICTURE and bool(frames)))
