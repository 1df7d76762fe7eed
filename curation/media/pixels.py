"""Look at a decoded frame cheaply: a strided view of its luma, a coarse colour histogram, an upright thumbnail.

The planes of 8-bit YUV are read where they lie; only thumbnails and rarer formats pass through a conversion. Its
scaler is made once: making one for every frame costs ten times what it does.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.media.geometry import Geometry

LUMA_COLUMNS = 80
"""About so many columns of luma are looked at: mean differences keep their value, noise stays below 0.001."""

PLANAR_8BIT = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"})
STILL_PX = 32
CELLS = 12
"""Cells of a picture, each way: what makes a sound is rarely smaller, and a frame of them costs microseconds."""

_TINTS = 8

Plane = NDArray[np.uint8]


class Lens:
    """Reads the frames of one video; not to be shared between threads."""

    def __init__(self, *, thumb_px: int) -> None:
        from av.video.reformatter import Interpolation, VideoReformatter

        self._thumb_px = thumb_px
        self._area = Interpolation.AREA
        self._convert, self._shrink, self._colour = VideoReformatter(), VideoReformatter(), VideoReformatter()
        self._squeeze = VideoReformatter()

    def look(self, frame: Any) -> tuple[Plane, Plane, Plane]:
        """Strided planes Y, U and V of the frame as stored; see `strided_planes`."""
        if frame.format.name not in PLANAR_8BIT:
            size = {"width": 2 * LUMA_COLUMNS, "height": _even(2 * LUMA_COLUMNS * frame.height / frame.width)}
            frame = self._convert.reformat(frame, format="yuv420p", interpolation=self._area, threads=1, **size)
        return strided_planes(frame)

    def thumbnail(self, frame: Any, geometry: Geometry) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 RGB, upright, of the wanted height and the picture's own shape to an even width."""
        scale = self._thumb_px / geometry.shown_px[1]
        width, height = geometry.square_px
        size = {"width": _even(width * scale), "height": _even(height * scale)}
        # Shrinking in YUV and turning the small picture into RGB is twice as fast as both in one step.
        small = self._shrink.reformat(frame, format="yuv420p", interpolation=self._area, threads=1, **size)
        image: Plane = np.asarray(self._colour.reformat(small, format="rgb24", threads=1).to_ndarray(), np.uint8)
        return geometry.upright(image)

    def still(self, frame: Any, geometry: Geometry) -> Plane:
        """(32, 32) uint8 luma of the whole picture, upright."""
        small = self._squeeze.reformat(
            frame, format="gray", interpolation=self._area, threads=1, width=STILL_PX, height=STILL_PX
        )
        return geometry.upright(np.asarray(small.to_ndarray(), np.uint8))


def strided_planes(frame: Any) -> tuple[Plane, Plane, Plane]:
    """Copies of every s-th pixel of Y, U and V of an 8-bit planar frame, about `LUMA_COLUMNS` columns of luma."""
    step = max(1, frame.width // LUMA_COLUMNS)
    luma, blue, red = (plane_view(frame, index) for index in range(3))
    # Half as many columns of colour as of luma, whatever the subsampling.
    chroma_step = max(1, 2 * step * blue.shape[1] // frame.width)
    return (
        luma[::step, ::step].copy(),
        blue[::chroma_step, ::chroma_step].copy(),
        red[::chroma_step, ::chroma_step].copy(),
    )


def colour_histogram(luma: Plane, blue: Plane, red: Plane) -> NDArray[np.float32]:
    """(16 + 64,) float32 summing to 2: the shares of coarse luma levels and of coarse (U, V) pairs."""
    light = np.bincount((luma[::2, ::2] >> 4).ravel(), minlength=16)
    tint = np.bincount(((blue >> 5) * np.uint8(_TINTS) + (red >> 5)).ravel(), minlength=_TINTS * _TINTS)
    return np.concatenate([light / light.sum(), tint / tint.sum()]).astype(np.float32)


def cells_of(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(12, 12) uint8 mean luma of the cells of a (height, width) plane."""
    sums, areas = cell_sums(luma)
    return np.asarray(sums // areas, np.uint8)


def cell_sums(plane: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(12, 12) sums of the cells of a (height, width) plane, whole numbers, and how many pixels each cell has.

    Products with zeros and ones: five times as fast as numpy's `add.reduceat` on so few pixels.
    """
    if min(plane.shape) < CELLS:
        plane = np.repeat(np.repeat(plane, CELLS, axis=0), CELLS, axis=1)
    rows, columns, areas = _grid(*plane.shape)
    sums: NDArray[np.float32] = rows @ plane.astype(np.float32) @ columns.T
    return sums, areas


@cache
def _grid(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """See `_members` for rows and columns; and (12, 12) how many pixels each cell has."""
    rows, columns = _members(height), _members(width)
    return rows, columns, np.outer(rows.sum(axis=1), columns.sum(axis=1))


def _members(size: int) -> NDArray[np.float32]:
    """(12, size) of which cell each line of pixels is a part."""
    cell = np.searchsorted(np.arange(CELLS) * size // CELLS, np.arange(size), side="right") - 1
    return np.asarray(cell == np.arange(CELLS)[:, None], np.float32)


def plane_view(frame: Any, index: int) -> Plane:
    """(height, width) uint8 view of one plane, without the padding at the lines' ends; the frame must outlive it."""
    plane = frame.planes[index]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]


def fitted(image: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """(height, width, 3) an image in a frame of another shape: as large as fits, unsqueezed, on black."""
    if image.shape == shape:
        return image
    scale = min(one / other for one, other in zip(shape[:2], image.shape[:2], strict=True))
    rows, columns = (max(1, round(side * scale)) for side in image.shape[:2])
    top, left = (shape[0] - rows) // 2, (shape[1] - columns) // 2
    nearest = np.ix_(np.arange(rows) * image.shape[0] // rows, np.arange(columns) * image.shape[1] // columns)
    framed = np.zeros(shape, np.uint8)
    framed[top : top + rows, left : left + columns] = image[nearest]
    return framed


def _even(length: float) -> int:
    return max(2, 2 * round(length / 2))
