"""What a scene is: how it is drawn, how it sounds, and the words for it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from training.world.canvas import Canvas
from training.world.events import Moment
from training.world.look import Look
from training.world.sounds import Wave


class Backdrop(Protocol):
    """Paints what stands still, once a film, over the whole canvas."""

    def __call__(self, canvas: Canvas, look: Look) -> None:
        """Paint upon `canvas`."""
        ...


class Action(Protocol):
    """Paints what moves, every frame, upon a copy of the backdrop."""

    def __call__(self, canvas: Canvas, look: Look, moment: Moment) -> None:
        """Paint what is there at `moment`."""
        ...


class Sound(Protocol):
    """Makes one strike's sound: (samples,) float32 at peak 1, sharpest at sample 0."""

    def __call__(self, random: np.random.Generator, rate_hz: int) -> Wave:
        """Make one strike; no two are quite the same."""
        ...


@dataclass(frozen=True, slots=True)
class Scene:
    """A class of drawn videos.

    Attributes:
        name: the registry key, also the class label.
        caption: a sentence in the manner of web captions.
        backdrop, action, sound: see the protocols.
    """

    name: str
    caption: str
    backdrop: Backdrop
    action: Action
    sound: Sound
