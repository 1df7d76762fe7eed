"""How many faces does the face detector find on thumbnails, how often does it see one where there is none, how fast?

Portraits of scikit-image's LFW subset, 25 px of face and nothing else, are put at several sizes and anywhere into
thumbnails; the same thumbnails as they are, and patches of the subset that are no faces, must show none. The detector's
settings were chosen on the portraits of even number, so those of odd number are counted.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.media import corpus
from bench.result import Goal, Result, Row
from curation.decide.calibrate import wilson
from curation.media.analyse import analyse
from curation.scores.faces import has_face
from training.world import SCENES, FilmSpec, draw, write_film

Picture = NDArray[np.uint8]
SIZES_PX = (24, 30, 36, 45, 60, 80)
FACES = 100
"""The subset's first hundred are faces, the others are not."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where portraits are put."""
    parser.add_argument("--seed", type=int, default=0)


def run(options: argparse.Namespace) -> Result:
    """Count faces found and faces imagined.

    Raises:
        Unavailable: scikit-image is not installed.
    """
    subset = (255 * _subset()).astype(np.uint8)
    places, random = _thumbnails(), np.random.default_rng(options.seed)
    rows: list[Row] = []
    found = 0
    for size in SIZES_PX:
        faces = _counted([_put(one, size, places, random) for one in subset[1:FACES:2]])
        others = _counted([_put(one, size, places, random) for one in subset[FACES + 1 :: 2]])
        found += int(faces.sum()) if size >= 30 else 0
        rows.append({"px": size, "portraits found": _share(faces), "other patches taken for a face": _share(others)})
    begun = time.perf_counter()
    imagined = _counted(places)
    cost_ms = 1000 * (time.perf_counter() - begun) / len(places)
    rows.append(
        {"px": "thumbnails as they are", "portraits found": "", "other patches taken for a face": _share(imagined)}
    )
    recall, false = found / (50 * (len(SIZES_PX) - 1)), float(imagined.mean())
    goals = [
        Goal("portraits of 30 px and more that are found", ">= 0.8", f"{recall:.3f}", recall >= 0.8),
        Goal("thumbnails in which a face is imagined", "<= 0.05", f"{false:.3f}", false <= 0.05),
    ]
    notes = [f"{len(places)} thumbnails of {places[0].shape[0]} px without a face; {cost_ms:.1f} ms each"]
    return Result(rows=rows, goals=goals, notes=notes, packages=("scikit-image", "numpy"))


def _subset() -> NDArray[np.float64]:
    """(200, 25, 25) luma in [0, 1]."""
    from curation.scores.speech import SpeechScore

    SpeechScore().check()
    from skimage.data import lfw_subset

    return np.asarray(lfw_subset())


def _thumbnails() -> list[Picture]:
    """First, middle and last thumbnails of clips without people: the corpus's known ones, or drawn ones."""
    if root := corpus():
        return [one for path in sorted((root / "known").glob("*.mp4")) for one in _three(path)]
    with tempfile.TemporaryDirectory() as folder:
        made = []
        for number, scene in enumerate(SCENES):
            path = Path(folder) / f"{scene}.mp4"
            write_film(draw(FilmSpec(scene=scene, seed=number, duration_s=4.0)), path)
            made += _three(path)
        return made


def _three(path: Path) -> list[Picture]:
    thumbs = analyse(path).thumbs
    return [thumbs[0], thumbs[len(thumbs) // 2], thumbs[-1]]


def _put(patch: Picture, size: int, places: Sequence[Picture], random: np.random.Generator) -> Picture:
    """A patch of (25, 25) luma somewhere in some thumbnail, its edges blended in."""
    place: Picture = places[int(random.integers(len(places)))].copy()
    scaled = np.asarray(Image.fromarray(patch).resize((size, size), Image.Resampling.BICUBIC), np.float64)[..., None]
    inwards = np.minimum(np.arange(size), np.arange(size)[::-1]) / max(2, size // 8)
    share = np.minimum(np.minimum(inwards[:, None], inwards[None, :]), 1)[..., None]
    top, left = (random.integers(whole - size + 1) for whole in place.shape[:2])
    inside = place[top : top + size, left : left + size]
    inside[:] = share * scaled + (1 - share) * inside
    return place


def _counted(pictures: Sequence[Picture]) -> NDArray[np.bool_]:
    return np.array([has_face(one) for one in pictures], bool)


def _share(found: NDArray[np.bool_]) -> str:
    return str(wilson(float(found.sum()), len(found)))
