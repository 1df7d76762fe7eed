"""Drawn films on disk, in parts that appear whole: a run that was stopped draws only those that are missing."""

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shards.files import write_atomic
from training.backbones.drawn import SIZE_PX, VIDEO
from training.progress import Progress
from training.world import SCENES, draw
from training.world.catalogue import Split, varied
from training.world.events import generator

FILM_S = 3.0
"""Longer than a window, so that there are several in each."""

FILM_FRAMES = round(FILM_S * VIDEO.fps)
WINDOWS = 5
"""Of each film, evenly spread."""

_DRAWN_FPS = 24
_PART = 50

Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class DrawnFilms:
    """Films of one split.

    Attributes:
        folder: where their parts lie.
        count: how many there are.
    """

    folder: Path
    count: int

    def frames(self, film: int) -> Frames:
        """(36, 96, 96, 3) RGB of one film, read when it is used."""
        part, place = divmod(film, _PART)
        return np.array(self._parts[part][place])

    def caption(self, film: int) -> str:
        """The caption of its scene."""
        return self._captions[film]

    @cached_property
    def _parts(self) -> list[Frames]:
        return [np.load(_frames_path(self.folder, part), mmap_mode="r") for part in _parts(self.count)]

    @cached_property
    def _captions(self) -> list[str]:
        lists = (json.loads(_scenes_path(self.folder, part).read_text(encoding="utf-8")) for part in _parts(self.count))
        return [SCENES[scene].caption for scenes in lists for scene in scenes]


def window_start(window: int) -> int:
    """The first frame of a film's `window`-th stretch."""
    return window * (FILM_FRAMES - VIDEO.frames) // (WINDOWS - 1)


def draw_films(
    folder: Path, count: int, *, split: Split, workers: int = 1, progress: Progress | None = None
) -> DrawnFilms:
    """The first `count` films of a split; those that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = _parts(count)
    missing = [part for part in parts if not _scenes_path(folder, part).is_file()]
    if missing:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            futures = [pool.submit(_draw_part, folder, part, split) for part in missing]
            for number, future in enumerate(futures, start=len(parts) - len(missing)):
                future.result()
                if progress:
                    progress(parts[number].stop, count, "films drawn")
    return DrawnFilms(folder, count)


def _draw_part(folder: Path, part: range, split: Split) -> None:
    """Draw some films; the list of scenes is written last and says that all is there."""
    frames, scenes = [], []
    for number in part:
        spec = varied(number, split=split, duration_s=FILM_S, fps=_DRAWN_FPS, height_px=SIZE_PX[0], width_px=SIZE_PX[1])
        frames.append(thinned(draw(spec).frames, number)[:FILM_FRAMES])
        scenes.append(spec.scene)
    aside = folder / f".{_name(part)}.part.npy"
    np.save(aside, np.stack(frames))
    aside.replace(_frames_path(folder, part))
    write_atomic(_scenes_path(folder, part), json.dumps(scenes).encode())


def thinned(frames: Frames, number: int) -> Frames:
    """Every second frame, beginning with the first or the second: a strike may fall between two that are kept."""
    first = int(generator(number, "thinned").integers(_DRAWN_FPS // VIDEO.fps))
    return frames[first :: _DRAWN_FPS // VIDEO.fps]


def _parts(count: int) -> list[range]:
    return [range(first, min(first + _PART, count)) for first in range(0, count, _PART)]


def _name(part: range) -> str:
    return f"{part.start:06d}-{part.stop:06d}"


def _frames_path(folder: Path, part: range) -> Path:
    return folder / f"{_name(part)}.npy"


def _scenes_path(folder: Path, part: range) -> Path:
    return folder / f"{_name(part)}.json"
