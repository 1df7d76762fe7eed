"""A small antialiased painter: shapes are signed distances, evaluated only in their own bounding box [ours].

Scenes use units, not pixels: (0, 0) and (1, 1) are the corners of the largest centred square, y grows downwards. A
`View` may mirror, zoom and move that square, which gives each seed its own framing. Light falls from above: every
shape is a little brighter at its top and darker at its rim.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]
Point = tuple[float, float]
Pixels = NDArray[np.float32]
Distance = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class View:
    """How the unit square is laid on the picture.

    Attributes:
        zoom: size of the unit square relative to the picture's shorter side.
        move: shift of its centre, in units.
        mirror: whether left and right are exchanged.
    """

    zoom: float = 1.0
    move: Point = (0.0, 0.0)
    mirror: bool = False


class Canvas:
    """A picture under construction, (height, width, 3) float32 RGB in [0, 1].

    Attributes:
        pixels: the picture; fastest if its memory holds one colour after the other, as `blank` makes it.
        planes: the same memory as (3, height, width).
        view: its framing.
        scale: pixels a unit.
    """

    def __init__(self, pixels: Pixels, *, unit_px: float, view: View) -> None:
        self.pixels = pixels
        self.planes = pixels.transpose(2, 0, 1)
        self.view = view
        self.scale = unit_px * view.zoom
        height, width = pixels.shape[:2]
        self._rows = (np.arange(height, dtype=np.float32) + 0.5)[:, None]
        self._columns = (np.arange(width, dtype=np.float32) + 0.5)[None, :]
        self._middle = (width / 2 + view.move[0] * self.scale, height / 2 + view.move[1] * self.scale)

    @classmethod
    def blank(cls, height: int, width: int, *, unit_px: float, view: View) -> "Canvas":
        """A black picture."""
        return cls(np.zeros((3, height, width), np.float32).transpose(1, 2, 0), unit_px=unit_px, view=view)

    def over(self, pixels: Pixels) -> "Canvas":
        """The same view upon other pixels of the same size."""
        return Canvas(pixels, unit_px=self.scale / self.view.zoom, view=self.view)

    def capsule(self, a: Point, b: Point, radius: float, colour: Colour, *, alpha: float = 1.0) -> None:
        """A line from `a` to `b` with round ends; a disc where the two are one."""
        box = self._box((a, b), radius)
        x, y, along, length = self._axes(a, b, box)
        if length > 0:
            t = np.minimum(np.maximum(x * along[0] + y * along[1], 0.0), length)
            distance: Distance = np.hypot(x - t * along[0], y - t * along[1])
        else:
            distance = np.hypot(x, y)
        self._paint(box, distance - radius * self.scale, colour, alpha)

    def disc(self, centre: Point, radius: float, colour: Colour, *, alpha: float = 1.0) -> None:
        """A filled circle."""
        self.capsule(centre, centre, radius, colour, alpha=alpha)

    def slab(self, a: Point, b: Point, half: float, colour: Colour, *, corner: float = 0.01) -> None:
        """A bar from `a` to `b`, `half` thick to either side, with rounded corners."""
        box = self._box((a, b), half)
        x, y, along, length = self._axes(a, b, box)
        u = np.abs(x * along[0] + y * along[1] - length / 2) - (length / 2 - corner * self.scale)
        v = np.abs(x * along[1] - y * along[0]) - (half - corner) * self.scale
        outside = np.hypot(np.maximum(u, 0.0), np.maximum(v, 0.0))
        self._paint(box, outside + np.minimum(np.maximum(u, v), 0.0) - corner * self.scale, colour, 1.0)

    def ellipse(self, a: Point, b: Point, half: float, colour: Colour, *, alpha: float = 1.0) -> None:
        """An ellipse with the long axis from `a` to `b`, `half` thick to either side of it."""
        box = self._box((a, b), half)
        x, y, along, length = self._axes(a, b, box)
        u = (x * along[0] + y * along[1] - length / 2) / (length / 2)
        v = (x * along[1] - y * along[0]) / (half * self.scale)
        norm = np.hypot(u, v)
        slope = np.hypot(u / (length / 2), v / (half * self.scale)) + 1e-6
        self._paint(box, (norm - 1.0) * norm / slope, colour, alpha)

    def convex(self, points: tuple[Point, ...], colour: Colour) -> None:
        """A convex polygon, its corners named in either direction."""
        box = self._box(points, 0.0)
        corners = [self.pixel(point) for point in points]
        turns = sum(ax * by - bx * ay for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True))
        way = 1.0 if turns > 0 else -1.0
        x, y = self._columns[:, box[1]], self._rows[box[0]]
        distance = np.full((y.shape[0], x.shape[1]), -1e3, np.float32)
        for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
            length = np.hypot(bx - ax, by - ay)
            edge = way * ((x - ax) * (by - ay) - (y - ay) * (bx - ax)) / length
            np.maximum(distance, edge, out=distance)
        self._paint(box, distance, colour, 1.0)

    def glow(self, centre: Point, radius: float, colour: Colour, strength: float) -> None:
        """Light added around `centre`, half as bright at 0.8 `radius` as in the middle."""
        if strength < 0.01:
            return
        box = self._box((centre,), 2.4 * radius)
        cx, cy = self.pixel(centre)
        width = (radius * self.scale) ** 2
        fall_x = np.exp(-((self._columns[:, box[1]] - cx) ** 2) / width)
        fall_y = np.exp(-((self._rows[box[0]] - cy) ** 2) / width) * strength
        self.planes[:, *box] += _by_channel(colour) * (fall_y * fall_x)

    def shadow(self, centre: Point, half_width: float, half_height: float, depth: float) -> None:
        """A soft darkening, as of a thing above a floor."""
        box = self._box((centre,), 1.8 * max(half_width, half_height))
        cx, cy = self.pixel(centre)
        fall_x = np.exp(-(((self._columns[:, box[1]] - cx) / (half_width * self.scale)) ** 4))
        fall_y = np.exp(-(((self._rows[box[0]] - cy) / (half_height * self.scale)) ** 4))
        self.planes[:, *box] *= 1.0 - depth * (fall_y * fall_x)

    def pixel(self, point: Point) -> Point:
        """Column and row, in pixels, of a point in units."""
        way = -1.0 if self.view.mirror else 1.0
        return (
            self._middle[0] + way * (point[0] - 0.5) * self.scale,
            self._middle[1] + (point[1] - 0.5) * self.scale,
        )

    def units(self) -> tuple[Pixels, Pixels]:
        """(1, width) and (height, 1): where the pixels' middles lie, in units; the inverse of `pixel`."""
        way = -1.0 if self.view.mirror else 1.0
        return (
            (self._columns - np.float32(self._middle[0])) * np.float32(way / self.scale) + np.float32(0.5),
            (self._rows - np.float32(self._middle[1])) / np.float32(self.scale) + np.float32(0.5),
        )

    def _box(self, points: tuple[Point, ...], reach: float) -> tuple[slice, slice]:
        """Rows and columns that hold all points and `reach` units around them, cut at the picture's edge."""
        pixels = [self.pixel(point) for point in points]
        xs, ys = [x for x, _ in pixels], [y for _, y in pixels]
        pad = reach * self.scale + 1.5
        height, width = self.pixels.shape[:2]
        return (
            slice(int(min(max(min(ys) - pad, 0), height)), int(min(max(max(ys) + pad + 1, 0), height))),
            slice(int(min(max(min(xs) - pad, 0), width)), int(min(max(max(xs) + pad + 1, 0), width))),
        )

    def _axes(self, a: Point, b: Point, box: tuple[slice, slice]) -> tuple[Pixels, Pixels, Point, float]:
        """Pixel coordinates from `a`, the unit vector towards `b` and the distance in pixels."""
        (ax, ay), (bx, by) = self.pixel(a), self.pixel(b)
        length = float(np.hypot(bx - ax, by - ay))
        along = ((bx - ax) / length, (by - ay) / length) if length > 0 else (1.0, 0.0)
        return self._columns[:, box[1]] - np.float32(ax), self._rows[box[0]] - np.float32(ay), along, length

    def _paint(self, box: tuple[slice, slice], distance: Distance, colour: Colour, alpha: float) -> None:
        """Lay `colour` where `distance` (pixels, negative inside) says, with light from above and a dark rim."""
        rows = distance.shape[0]
        if not distance.size:
            return
        # Plain minimum and maximum: at some thirty shapes a frame, the overhead of np.clip is most of the time.
        cover = np.minimum(np.maximum(0.5 - distance, 0.0), 1.0)
        if alpha != 1.0:
            cover *= np.float32(alpha)
        rim = np.minimum(np.maximum(1.0 + distance / np.float32(0.022 * self.scale), 0.0), 1.0)
        light = _from_above(rows) * (1.0 - 0.22 * rim)
        here = self.planes[:, *box]
        toward = _by_channel(colour) * light
        toward -= here
        toward *= cover
        here += toward


def _by_channel(colour: Colour) -> Pixels:
    """(3, 1, 1) a colour that multiplies planes."""
    return np.array(colour, np.float32)[:, None, None]


@lru_cache(maxsize=1024)
def _from_above(rows: int) -> Pixels:
    """(rows, 1) how bright a shape of that many rows is, from top to bottom."""
    light: Pixels = np.linspace(1.12, 0.82, rows, dtype=np.float32)[:, None]
    light.flags.writeable = False
    return light
