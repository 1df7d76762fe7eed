"""Films whose cuts are known: joined from videos that hold none, and drawn ones that flash."""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.media import corpus, media_files
from bench.shot_figures import Event, natural_events
from shards.ffmpeg import ffmpeg_binary

FPS = 24
HALF_S = 2.0
FADE_S = 0.5

FLASH_SHARES = {"whole": 1.0, "half": 0.5, "fifth": 0.2, "twentieth": 0.05}
"""How much of the picture flashes."""

FLASH_FRAMES = (1, 2, 4, 8)
FLASH_EVERY = 18
"""Frames from one flash to the next: 0.75 s."""

LIGHTS = ((255, 255, 255), (255, 190, 90), (190, 210, 255))
"""A lamp, muzzle fire, lightning."""

JOINTS = {
    "cut": Event(HALF_S, HALF_S, "cut"),
    "fade": Event(HALF_S - FADE_S, HALF_S + FADE_S, "fade"),
    "dissolve": Event(HALF_S - FADE_S, HALF_S + FADE_S, "dissolve"),
}


@dataclass(frozen=True, slots=True)
class Known:
    """A film, and all that ends a shot in it."""

    path: Path
    events: Sequence[Event] = ()


def natural_films() -> list[Known]:
    """The filmed clips of the corpus; none where it is not there."""
    root = corpus()
    folder = root / "natural" if root else None
    if not folder or not folder.is_dir():
        return []
    events = natural_events()
    clips = sorted(path for path in folder.iterdir() if path.suffix != ".csv")
    return [Known(path, events.get(path.name, ())) for path in clips]


def whole_films(files: Sequence[Path], scratch: Path) -> list[Known]:
    """Videos of one shot: those given, those of the corpus that are cut from one, else drawn ones."""
    found = media_files(files, folder="known")
    if not found:
        from training.world import SCENES, FilmSpec, draw, write_film

        for seed, scene in enumerate(list(SCENES) * 2):
            found.append(scratch / f"drawn-{seed}.mp4")
            write_film(draw(FilmSpec(scene=scene, seed=seed, duration_s=4.0)), found[-1])
    return [Known(_normal(path, scratch / f"whole-{number}.mp4")) for number, path in enumerate(found)]


def joined_films(whole: Sequence[Known], pairs: int, scratch: Path, *, how: str) -> list[Known]:
    """Two seconds of one and two of another, joined by a cut, a fade through black, or a dissolve."""
    numbers = [(n % len(whole), (n * 7 + 3) % len(whole)) for n in range(pairs)]
    return [
        Known(_joined(whole[one].path, whole[other].path, scratch / f"{how}-{n}.mp4", how=how), (JOINTS[how],))
        for n, (one, other) in enumerate(numbers)
        if one != other
    ]


def flashing_films(scratch: Path, *, size: str) -> Iterator[Known]:
    """Drawn films in which a part of the picture flashes every 0.75 s, or as a strobe; every other one holds a cut."""
    from training.world import SCENES, FilmSpec, draw, write_film

    scenes, rng = list(SCENES), np.random.default_rng(len(size))
    for number, frames in enumerate([*FLASH_FRAMES * 2, 0, 0]):
        cut_s = 3.0 if number % 2 == (number // len(FLASH_FRAMES)) % 2 else None
        scene, other = scenes[number % len(scenes)], scenes[(number + 3) % len(scenes)]
        spec = FilmSpec(
            scene=scene, seed=number, duration_s=6.0, width_px=160, height_px=160, camera_shake_px=2.0 * (number % 3),
            cut_at_s=cut_s, cut_to=other if cut_s else None,
        )  # fmt: skip
        film = draw(spec)
        path = scratch / f"flash-{size}-{number}.mp4"
        write_film(replace(film, frames=_flashing(film.frames, FLASH_SHARES[size], frames, rng)), path)
        yield Known(path, (Event(cut_s, cut_s, "cut"),) if cut_s else ())


def _flashing(frames: NDArray[np.uint8], share: float, length: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(frames, height, width, 3) with flashes of `length` frames, or where that is 0 two frames on and two off."""
    lit = frames.copy()
    height, width = frames.shape[1:3]
    tall, wide = (max(1, round(side * share**0.5)) for side in (height, width))
    for number, start in enumerate(range(int(rng.integers(4, FLASH_EVERY)), len(frames), FLASH_EVERY if length else 4)):
        top, left = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
        light = np.array(LIGHTS[number % len(LIGHTS)], np.float32)
        for step in range(min(length or 2, len(frames) - start)):
            # Every other flash dies away instead of ending at once.
            strength = 1 - step / length if length and number % 2 else 1.0
            part = lit[start + step, top : top + tall, left : left + wide]
            part[:] = part + (light - part) * np.float32(strength)
    return lit


def _normal(path: Path, out: Path) -> Path:
    """One size and rate, so that joining changes nothing but the content."""
    picture = f"scale=320:240:force_original_aspect_ratio=decrease,pad=320:240:-1:-1,setsar=1,fps={FPS}"
    _ffmpeg("-i", path, "-t", "4", "-vf", picture, "-ar", "44100", "-ac", "2", *_encoded(), out)
    return out


def _joined(one: Path, other: Path, out: Path, *, how: str) -> Path:
    """The first two seconds of one, then the first two of the other."""
    longer = FADE_S if how == "dissolve" else 0.0
    first, second = (f"trim=end={HALF_S + longer},setpts=PTS-STARTPTS" for _ in range(2))
    if how == "fade":
        first += f",fade=out:st={HALF_S - FADE_S}:d={FADE_S}"
        second += f",fade=in:st=0:d={FADE_S}"
    sound = f"[0:a]atrim=end={HALF_S}[c];[1:a]atrim=end={HALF_S},asetpts=PTS-STARTPTS[d];[c][d]concat=v=0:a=1[s]"
    mixed = f"xfade=duration={2 * FADE_S}:offset={HALF_S - FADE_S}" if how == "dissolve" else "concat=v=1:a=0"
    graph = f"[0:v]{first}[a];[1:v]{second}[b];{sound};[a][b]{mixed}[v]"
    _ffmpeg("-i", one, "-i", other, "-filter_complex", graph, "-map", "[v]", "-map", "[s]", *_encoded(), out)
    return out


def _encoded() -> list[str]:
    return ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p", "-c:a", "aac"]


def _ffmpeg(*arguments: str | Path) -> None:
    subprocess.run([ffmpeg_binary(), "-v", "error", "-y", *arguments], check=True, timeout=120)
