"""The geometry of a stream, frame by frame: stored size, pixel aspect and orientation, each of which may change.

Looking at what lies on a frame costs as much as measuring it does, so that is done where something can have changed: at
keyframes, and where the cheap signs of it differ.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from shards.display import Orientation, Pixels, square_px


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a stored picture of `width_px` x `height_px` is shown."""

    width_px: int
    height_px: int
    pixel_aspect: Fraction
    orientation: Orientation

    @property
    def square_px(self) -> tuple[int, int]:
        """Width and height with square pixels, not yet turned."""
        return square_px(self.width_px, self.height_px, self.pixel_aspect)

    @property
    def shown_px(self) -> tuple[int, int]:
        """Width and height as shown: with square pixels, upright."""
        return self.orientation.shown(*self.square_px)

    def upright(self, image: Pixels) -> Pixels:
        """An image of the stored picture, of any size, as it is to be shown."""
        return self.orientation.upright(image)


class Sight:
    """Follows a stream's geometry: sees each picture as the decoder gives it, and is asked when it comes to be shown.

    By then the codec may be at a later one, and a frame can carry nothing of ours.
    """

    def __init__(self, stream: Any) -> None:
        self._codec = stream.codec_context
        self._declared: Fraction = stream.sample_aspect_ratio or Fraction(1)
        # What a container says goes before what its codec says [libav's av_guess_sample_aspect_ratio].
        self._by_container = self._declared != self._coded_aspect
        self._signs: tuple[int, int, int] | None = None
        self._now: Geometry | None = None
        self._seen: dict[int, Geometry] = {}

    def see(self, frame: Any) -> None:
        """Take the next decoded picture; decoding may begin anywhere."""
        signs = (frame.width, frame.height, frame.rotation)
        if self._now is None or signs != self._signs or frame.key_frame:
            self._signs = signs
            aspect = self._declared if self._by_container else self._coded_aspect
            geometry = Geometry(frame.width, frame.height, aspect, Orientation.of(frame))
            self._now = self._now if geometry == self._now else geometry
        # The place of one that was thrown away may be that of another, which is then seen anew.
        self._seen[id(frame)] = self._now

    def of(self, frame: Any) -> Geometry:
        """The geometry of a picture that was seen; the very same object while nothing changes."""
        return self._seen[id(frame)]

    @property
    def _coded_aspect(self) -> Fraction:
        return self._codec.sample_aspect_ratio or Fraction(1)
