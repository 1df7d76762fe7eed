"""What a score is: a named, versioned measurement over windows of decoded video."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol, TypeVar

from curation.media.timeline import Timeline, Window

T = TypeVar("T")

Columns = dict[str, float]
"""The measured values of one window, by column name."""


class Need(StrEnum):
    """What a score wants decoded."""

    CURVES = "curves"
    FRAMES = "frames"
    THUMBNAILS = "thumbnails"
    WAVEFORM = "waveform"
    PICTURE_TRACK = "picture_track"
    SOUND_TRACK = "sound_track"
    TEXT = "text"


class Evidence(StrEnum):
    """What a score speaks about. Impacts need synchrony, ambience needs meaning; see `curation.decide.policy`."""

    SYNCHRONY = "synchrony"
    MEANING = "meaning"
    SIGNAL = "signal"


class Score(Protocol):
    """A measurement over windows.

    `version` goes up whenever the numbers may change, so that old rows are measured again. Model scores run in
    batches across clips; `check()` raises `shards.errors.Unavailable` (why + the command that mends it) when weights
    or packages are absent, before anything is decoded. `trends` says of which columns more is better (+1) or worse
    (-1), for whoever calibrates; the others are for people and gates. `settings` names what else decides the numbers,
    such as a model and a template; "" where nothing does.
    """

    name: str
    version: int
    settings: str
    needs: frozenset[Need]
    columns: tuple[str, ...]
    evidence: Evidence
    trends: Mapping[str, int]

    def check(self) -> None:
        """Raise `Unavailable` if this machine cannot compute the score."""
        ...

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """Measure each window; the result has one entry per window, in order, with exactly `columns`."""
        ...


def once_a_video(batch: Sequence[Window], measure: Callable[[Timeline], T]) -> list[T]:
    """What `measure` finds in each window's video, which is asked once however many windows the video has."""
    found: dict[int, T] = {}
    for window in batch:
        if id(window.timeline) not in found:
            found[id(window.timeline)] = measure(window.timeline)
    return [found[id(window.timeline)] for window in batch]
