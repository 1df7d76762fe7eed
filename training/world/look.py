"""What makes two films of one scene differ: colours, framing and the room behind [ours]."""

import colorsys
from dataclasses import dataclass

import numpy as np

from training.world.canvas import Canvas, Colour, Pixels, View
from training.world.events import generator
from training.world.texture import grain


@dataclass(frozen=True, slots=True)
class Look:
    """The colours and framing of one film, all from its seed.

    Attributes:
        wall, floor, accent: main colours; `accent` stands out against both.
        view: framing of the unit square.
        seed: for scenes that scatter things (sparks, chips).
        texture: how strongly wall and floor are patterned, 0 (not at all) to 1.
    """

    wall: Colour
    floor: Colour
    accent: Colour
    view: View
    seed: int
    texture: float = 0.0


def choose_look(seed: int, *, texture: float = 0.0) -> Look:
    """A look whose colours and framing depend on the seed alone."""
    random = generator(seed, "look")
    hue = float(random.uniform())
    return Look(
        wall=hsv(hue, random.uniform(0.35, 0.6), random.uniform(0.5, 0.72)),
        floor=hsv(hue + random.uniform(0.06, 0.14), random.uniform(0.3, 0.5), random.uniform(0.3, 0.45)),
        accent=hsv(hue + random.uniform(0.42, 0.58), random.uniform(0.7, 0.85), random.uniform(0.85, 0.95)),
        view=View(
            zoom=float(random.uniform(0.94, 1.06)),
            move=(float(random.uniform(-0.03, 0.03)), float(random.uniform(-0.02, 0.03))),
            mirror=bool(random.integers(2)),
        ),
        seed=seed,
        texture=texture,
    )


def contrasting_seed(seed: int) -> int:
    """A seed whose wall differs much from that of `seed`, so that a hard cut between the two is plain to see."""
    wall = np.asarray(choose_look(seed).wall)
    others = range(seed + 50_000, seed + 50_032)
    return max(others, key=lambda other: float(abs(np.mean(wall - np.asarray(choose_look(other).wall)))))


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """RGB of a hue (any real number, one turn is 1), saturation and value in [0, 1]."""
    return colorsys.hsv_to_rgb(float(hue) % 1.0, float(saturation), float(value))


def paint_room(canvas: Canvas, look: Look, *, horizon: float) -> None:
    """Fill the canvas with a wall, soft lights upon it, and a floor from `horizon` (units) downwards."""
    height, width = canvas.pixels.shape[:2]
    wall, floor = np.asarray(look.wall, np.float32), np.asarray(look.floor, np.float32)
    edge = canvas.pixel((0.5, horizon))[1]
    rows = np.arange(height, dtype=np.float32)[:, None, None] + 0.5
    above = wall * (0.62 + 0.5 * rows / max(edge, 1.0))
    below = floor * (1.15 - 0.5 * (rows - edge) / max(height - edge, 1.0))
    canvas.pixels[:] = np.broadcast_to(np.where(rows < edge, above, below), (height, width, 3))
    if look.texture > 0:
        canvas.pixels *= 1.0 + look.texture * grain(canvas, horizon=horizon, seed=look.seed)
    else:
        _hang_panels(canvas, look, edge)
    for x, y, radius in generator(look.seed, "room").uniform((-0.1, 0.02, 0.04), (1.1, 0.55, 0.12), (7, 3)):
        canvas.disc((x, y), radius, _lighter(look.wall), alpha=0.16)
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    canvas.pixels *= 1.0 - 0.16 * (columns**2 + np.linspace(-1, 1, height, dtype=np.float32)[:, None, None] ** 2)


def _hang_panels(canvas: Canvas, look: Look, edge: float) -> None:
    """Vertical panels on the wall: something that a shaking camera visibly moves."""
    height, width = canvas.pixels.shape[:2]
    columns = np.arange(width, dtype=np.float32)
    phase = generator(look.seed, "panels").uniform(0, 2 * np.pi)
    wave = np.sin(columns * (2 * np.pi * 5.5 / canvas.scale) + phase)
    panel: Pixels = (1.0 + 0.1 * np.tanh(6.0 * wave))[None, :, None].astype(np.float32)
    canvas.pixels[: int(np.clip(edge, 0, height))] *= panel


def _lighter(colour: Colour) -> Colour:
    return (0.5 + 0.5 * colour[0], 0.5 + 0.5 * colour[1], 0.5 + 0.5 * colour[2])
