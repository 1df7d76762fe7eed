"""Pictures of animations: side by side, moving, each above its waveform and strikes; or rows of frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

SCALE, STRIP_PX, GAP_PX = 2, 34, 6
_PAPER, _INK, _STRIKE, _HAND = (255, 255, 255), (70, 76, 90), (224, 122, 32), (30, 30, 30)


@dataclass(frozen=True, slots=True)
class Shown:
    """One animation: frames (frames, h, w, 3), the sound it was given, and when that strikes, in seconds."""

    frames: NDArray[np.uint8]
    audio: NDArray[np.float32]
    strikes_s: NDArray[np.float64]


def write_grid(path: Path, films: Sequence[Shown], *, fps: int, columns: int) -> None:
    """Write the films as an animated WebP, which repeats without end."""
    from PIL import Image

    pages = [Image.fromarray(_page(films, number, fps, columns)) for number in range(len(films[0].frames))]
    path.parent.mkdir(parents=True, exist_ok=True)
    pages[0].save(
        path, save_all=True, append_images=pages[1:], duration=round(1000 / fps), loop=0, quality=70, method=4
    )


def sheet(films: Sequence[Shown], *, fps: int, every: int = 1) -> "Image":
    """The films as rows of frames; a frame in which the sound strikes has a bar below it."""
    from PIL import Image

    rows = []
    for film in films:
        struck = {int(time_s * fps) for time_s in film.strikes_s}
        cells = []
        for number in range(0, len(film.frames), every):
            frame = film.frames[number]
            bar = np.full((6, frame.shape[1], 3), 255, np.uint8)
            if struck & set(range(number, number + every)):
                bar[1:5] = _STRIKE
            cells.append(np.concatenate([frame, bar]))
        rows.append(np.concatenate(cells, axis=1))
    return Image.fromarray(np.concatenate(rows))


def _page(films: Sequence[Shown], number: int, fps: int, columns: int) -> NDArray[np.uint8]:
    cells = [_cell(film, number, fps) for film in films]
    height, width = cells[0].shape[:2]
    rows = -(-len(cells) // columns)
    page = np.full((rows * (height + GAP_PX) - GAP_PX, columns * (width + GAP_PX) - GAP_PX, 3), 255, np.uint8)
    for place, cell in enumerate(cells):
        row, column = divmod(place, columns)
        top, left = row * (height + GAP_PX), column * (width + GAP_PX)
        page[top : top + height, left : left + width] = cell
    return page


def _cell(film: Shown, number: int, fps: int) -> NDArray[np.uint8]:
    """The frame, enlarged, above the sound's envelope; strikes are orange, the hand stands at the frame's middle."""
    from PIL import Image

    height, width = film.frames.shape[1] * SCALE, film.frames.shape[2] * SCALE
    frame = np.asarray(Image.fromarray(film.frames[number]).resize((width, height), Image.Resampling.LANCZOS))
    strip = np.full((STRIP_PX, width, 3), _PAPER, np.uint8)
    duration_s = len(film.frames) / fps
    envelope = [float(np.abs(part).max(initial=0.0)) for part in np.array_split(film.audio, width)]
    loudest = max(max(envelope), 1e-6)
    for column, level in enumerate(envelope):
        half = round(level / loudest * (STRIP_PX / 2 - 2))
        strip[STRIP_PX // 2 - half : STRIP_PX // 2 + half + 1, column] = _INK
    for time_s in film.strikes_s:
        column = int(time_s / duration_s * width)
        strip[:, column : column + 2] = _STRIKE
    hand = int((number + 0.5) / len(film.frames) * width)
    strip[:, hand : hand + 2] = _HAND
    return np.concatenate([frame, strip])
