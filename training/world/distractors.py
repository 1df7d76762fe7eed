"""Things that move without a sound, beside the scene and at times unlike its strikes' [ours].

Their places are the picture's edges, so that a strike is never hidden: a balloon drifts along the top, a pendulum and
a screen hang at the sides, a box walks along the bottom. What moves by jerks (screen, box) does so at times chosen as
a wrong sound's are: unlike the strikes at any offset.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.world.canvas import Canvas, Colour
from training.world.events import Strikes, draw_strikes, generator
from training.world.look import hsv

CANDIDATES = 64
STEP_S = 0.12

Painter = Callable[["Distractor", Canvas, float], None]


@dataclass(frozen=True, slots=True)
class Distractor:
    """One thing.

    Attributes:
        painter: what it looks like.
        side: -1 for the picture's left, 1 for its right.
        phase: in [0, 1), where in its movement it begins.
        pace: about 1: how fast it is.
        hue: of its colour.
        jerks: when it starts anew, for those that do.
    """

    painter: Painter
    side: int
    phase: float
    pace: float
    hue: float
    jerks: Strikes

    def paint(self, canvas: Canvas, time_s: float) -> None:
        """Paint the thing as it is at `time_s`."""
        self.painter(self, canvas, time_s)

    def colour(self, *, turn: float = 0.0) -> Colour:
        """Its colour, or another one `turn` of a circle of hues away."""
        return hsv(self.hue + turn, 0.65, 0.85)


def choose_distractors(
    seed: int, *, count: int, strikes: Strikes, duration_s: float, fps: int
) -> tuple[Distractor, ...]:
    """The things of a film, of as many kinds as possible.

    Args:
        seed: decides everything.
        count: how many.
        strikes: what their jerks must be unlike.
        duration_s: length of the film.
        fps: frames a second.
    """
    if count < 1:
        return ()
    random = generator(seed, "distractors")
    kinds = random.permutation(len(PAINTERS))
    side = int(random.choice((-1, 1)))
    return tuple(
        Distractor(
            painter=PAINTERS[kinds[number % len(kinds)]],
            side=side if number % 2 else -side,
            phase=float(random.uniform()),
            pace=float(random.uniform(0.8, 1.25)),
            hue=float(random.uniform()),
            jerks=draw_strikes(
                seed,
                duration_s=duration_s,
                fps=fps,
                unlike=strikes.times_s,
                purpose=f"distractor {number}",
                candidates=CANDIDATES,
            ),
        )
        for number in range(count)
    )


def _balloon(thing: Distractor, canvas: Canvas, time_s: float) -> None:
    """Drifts along the top, there and back."""
    turn = 2 * np.pi * (thing.phase + 0.13 * thing.pace * time_s)
    x, y = 0.5 + 0.5 * thing.side * float(np.sin(turn)), 0.13 + 0.05 * float(np.cos(2.3 * turn))
    canvas.capsule((x, y), (x + 0.01, y + 0.16), 0.006, (0.2, 0.2, 0.22))
    canvas.ellipse((x, y - 0.08), (x, y + 0.08), 0.065, thing.colour())


def _pendulum(thing: Distractor, canvas: Canvas, time_s: float) -> None:
    """Hangs from above at a side and swings evenly."""
    turn = 0.6 * float(np.sin(2 * np.pi * (thing.phase + time_s * thing.pace / 1.7)))
    x, y = 0.5 + 0.4 * thing.side, -0.08
    bob = (x + 0.36 * float(np.sin(turn)), y + 0.36 * float(np.cos(turn)))
    canvas.capsule((x, y), bob, 0.01, (0.16, 0.16, 0.2))
    canvas.disc(bob, 0.06, thing.colour())


def _screen(thing: Distractor, canvas: Canvas, time_s: float) -> None:
    """Hangs on the wall at a side and changes its picture now and then."""
    x, shown = 0.5 + 0.38 * thing.side, thing.jerks.at(time_s).index
    canvas.slab((x - 0.13, 0.17), (x + 0.13, 0.17), 0.1, (0.1, 0.1, 0.12))
    canvas.slab((x - 0.11, 0.17), (x + 0.11, 0.17), 0.08, thing.colour(turn=0.37 * shown))
    canvas.disc((x + (0.06 if shown % 2 else -0.06), 0.17), 0.045, thing.colour(turn=0.37 * shown + 0.5))


def _box(thing: Distractor, canvas: Canvas, time_s: float) -> None:
    """Walks along the bottom by hops and comes in again at the other side."""
    moment = thing.jerks.at(time_s)
    hop = min(moment.since_s / STEP_S, 1.0)
    gone = (thing.phase + 0.11 * (moment.index + hop)) % 1.0
    x, y = 0.5 + thing.side * (1.3 * gone - 0.65), 0.94 - 0.06 * float(np.sin(np.pi * hop))
    canvas.slab((x, y - 0.06), (x, y + 0.06), 0.06, thing.colour(), corner=0.012)
    canvas.disc((x - 0.025, y - 0.01), 0.014, (0.05, 0.05, 0.06))
    canvas.disc((x + 0.025, y - 0.01), 0.014, (0.05, 0.05, 0.06))


PAINTERS: tuple[Painter, ...] = (_balloon, _pendulum, _screen, _box)
