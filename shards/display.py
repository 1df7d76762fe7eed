"""How a stored picture is to be shown: which way up (its display matrix), and how wide its pixels are.

A matrix of a container, an H.264 or HEVC message, or a photo's EXIF tag reaches a frame alike, as nine numbers of 16.16
[libavutil/display.h]; a picture is turned and mirrored by the nearest of the eight orientations that keep its sides
upright.
"""

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

WIDEST = 4
"""Pixels are believed to be this much wider than high, or higher than wide [ours]."""

RIGHT = math.tan(math.radians(1))
"""A matrix that turns by less beside a right angle means that right angle [ours]."""

Pixels = TypeVar("Pixels", bound=NDArray[Any])


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the eight: rows and columns change places first, then left and right, then top and bottom.

    `exact` is False where the matrix asks for something else, and this is only the nearest.
    """

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False
    exact: bool = True

    @classmethod
    def of(cls, frame: Any) -> Self:
        """The orientation that a decoded frame (PyAV's) asks for."""
        matrix = _side_data(frame).get("DISPLAYMATRIX")
        return cls() if matrix is None else cls.nearest(*struct.unpack_from("=5i", bytes(matrix)))

    @classmethod
    def nearest(cls, a: float, b: float, _u: float, c: float, d: float) -> Self:
        """Of a matrix that sends (x, y), y downwards, to (ax + cy, bx + dy)."""
        transposed = abs(a) + abs(d) < abs(b) + abs(c)
        (x, y), (off_x, off_y) = ((c, b), (a, d)) if transposed else ((a, d), (c, b))
        exact = max(abs(off_x), abs(off_y)) <= RIGHT * min(abs(x), abs(y)) and x != 0 != y
        # NumPy's numbers compare to its own booleans, which do not add up as Python's do.
        return cls(bool(transposed), bool(x < 0), bool(y < 0), bool(exact))

    @property
    def plain(self) -> bool:
        """Whether the picture stays as it is stored."""
        return not (self.transposed or self.mirrored_x or self.mirrored_y)

    def shown(self, width: int, height: int) -> tuple[int, int]:
        """Width and height as shown of those as stored, and the other way round."""
        return (height, width) if self.transposed else (width, height)

    def upright(self, image: Pixels) -> Pixels:
        """(height, width, ...) as stored, turned and mirrored as it is to be shown; itself where that is the same."""
        if self.plain:
            return image
        turned = image.swapaxes(0, 1) if self.transposed else image
        rows, columns = (slice(None, None, -1 if flip else 1) for flip in (self.mirrored_y, self.mirrored_x))
        return np.ascontiguousarray(turned[rows, columns])  # type: ignore[return-value]


def square_px(width: int, height: int, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """The size (even width) that has square pixels, of a stored one whose pixels are so much wider than high.

    As it is where that differs by less than rounding to even sides does, or where the aspect is past belief: that is a
    fault in the header, or a trap.
    """
    aspect = pixel_aspect or Fraction(1)
    wanted = max(2, 2 * round(width * aspect / 2)) if Fraction(1, WIDEST) <= aspect <= WIDEST else width
    return (width if abs(wanted - width) < 2 else wanted), height


def _side_data(frame: Any) -> Any:
    try:
        return frame.side_data
    except ValueError:
        # PyAV shows nothing of a frame on which lies one thing that it has no name for, such as EXIF (31).
        from av.sidedata.sidedata import Type

        Type._missing_ = classmethod(lambda kinds, _: kinds.VIDEO_HINT)  # type: ignore[assignment]
        return frame.side_data
