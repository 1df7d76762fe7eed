"""What a metric is: a name, a protocol that pins all that decides its numbers, and either a value of each clip or
features of a whole set."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from training.evaluate.controls import OF_PICTURE, OF_SOUND, Control
from training.evaluate.films import EvaluatedClip

Rows = NDArray[np.float64]
"""(rows, width) features of one clip."""


class Metric(Protocol):
    """What both kinds have.

    `check()` raises `shards.errors.Unavailable` (why, and what mends it) before any clip is read. `protocol` names
    whatever decides the numbers beside the clips' format: extractor, its digest, sampling, resizing, tolerance.
    """

    name: str
    higher_is_better: bool
    hears: bool
    sees: bool

    @property
    def protocol(self) -> str:
        """All that decides the numbers, in one line."""
        ...

    def check(self) -> None:
        """Raise `Unavailable` where this machine cannot compute it."""
        ...


@runtime_checkable
class ClipMetric(Metric, Protocol):
    """A metric whose value over a set is the mean over its clips."""

    def value(self, clip: EvaluatedClip, truth: EvaluatedClip) -> float:
        """Of one clip; `truth` is the true one of its place. NaN where nothing can be told."""
        ...


@runtime_checkable
class SetMetric(Metric, Protocol):
    """A metric of two sets: how far features of films lie from those of true ones."""

    def features(self, clip: EvaluatedClip) -> Rows:
        """What is known of one clip."""
        ...

    def summary(self, rows: Rows) -> Any:
        """What of a clip's features it takes to tell distances of sets."""
        ...

    def distance(self, films: Sequence[Any], truths: Sequence[Any]) -> float:
        """How far films lie from truths, by the summaries of their clips."""
        ...


def applicable(metric: Metric) -> tuple[Control, ...]:
    """The controls that a metric could notice: one that does not hear knows nothing of sounds."""
    noticed = (OF_PICTURE if metric.sees else frozenset()) | (OF_SOUND if metric.hears else frozenset())
    return tuple(control for control in Control if control in noticed)
