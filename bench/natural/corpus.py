"""The natural corpus: filmed clips with their own sound, what is known of each, and which side of the split it is on.

The corpus is for measuring and for training small networks; it lies beside the checkout and never goes into a release.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from bench.media import corpus
from shards.errors import BadInput


class Truth(StrEnum):
    """What the sound of a clip is to its picture."""

    ACTION = "action"
    SPEECH = "speech"
    AMBIENT = "ambient"
    UNCLEAR = "unclear"
    MUSIC_OVER = "music_over"
    NARRATION_OVER = "narration_over"


TUNED = 160
"""Of 256: five eighths of the repositories are looked at and learnt from, the rest only measured on."""

IN_SYNC = (Truth.ACTION, Truth.SPEECH)
"""Clips in which something is seen to sound: what synchrony scores are measured on."""


class Side(StrEnum):
    """Tune is for fitting and for looking; figures are reported of test alone."""

    TUNE = "tune"
    TEST = "test"


class Camera(StrEnum):
    """How the camera was held, where somebody noted it."""

    STATIC = "static"
    MOVING = "moving"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Filmed:
    """A clip of the corpus; `shows` says what is seen, `repository` which collection it was published in."""

    path: Path
    shows: str
    truth: Truth
    camera: Camera
    repository: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def side(self) -> Side:
        """See `side_of`."""
        return side_of(self.repository)


def natural_clips() -> list[Filmed]:
    """All clips, in order of name.

    Raises:
        BadInput: the corpus is not here.
    """
    root = corpus()
    table = root / "natural" / "corpus.csv" if root else None
    if table is None or not table.is_file():
        raise BadInput(
            "there is no corpus of filmed clips here",
            remedy="put its folder `natural`, with corpus.csv, into a folder that CLAPBOARD_CORPUS names",
        )
    with table.open(encoding="utf-8", newline="") as file:
        return sorted((_filmed(table.parent, row) for row in csv.DictReader(file)), key=lambda one: one.name)


def side_of(repository: str) -> Side:
    """A repository's side, for good: tune where the first byte of its name's sha256 is below `TUNED`.

    By repository, because clips of one collection are alike: same makers, same camera, same encoder.
    """
    return Side.TUNE if sha256(repository.encode()).digest()[0] < TUNED else Side.TEST


def donor(clip: Filmed, corpus: Sequence[Filmed], *, part: str, truths: Sequence[Truth]) -> Filmed:
    """Whose sound a clip gets: another repository's, showing something else, of the same side where there is one.

    The choice follows from the names alone: of all candidates the one whose hash with the clip's name is the least, so
    that another clip in the corpus changes few choices.

    Raises:
        BadInput: the corpus has no such clip.
    """
    others = [one for one in corpus if one.repository != clip.repository and one.shows != clip.shows]
    fitting = [one for one in others if one.truth in truths]
    near = [one for one in fitting if one.side is clip.side] or fitting
    if not near:
        raise BadInput(f"no clip of the corpus can be the {part} sound of {clip.name}", remedy="use the whole corpus")
    return min(near, key=lambda one: sha256(f"{part}\0{clip.name}\0{one.name}".encode()).digest())


def _filmed(folder: Path, row: dict[str, str]) -> Filmed:
    return Filmed(
        path=folder / row["file"],
        shows=row["what"] or row["note"],
        truth=Truth(row["truth"]),
        camera=_camera(row["camera"]),
        repository=row["source"].split()[0],
    )


def _camera(words: str) -> Camera:
    if words.startswith(("handheld", "moving")):
        return Camera.MOVING
    return Camera.STATIC if words.startswith("static") else Camera.UNKNOWN
