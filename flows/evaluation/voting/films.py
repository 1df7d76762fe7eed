"""The films that are put to the vote: where two folders have them, and true ones made worse for attention checks."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flows.evaluation.voting.pairs import Maker
from shards.errors import BadInput

if TYPE_CHECKING:
    from training.evaluate.films import ClipFormat

LATE_S = 0.5
SHOWN, RESULT = "films.json", "evaluation.json"


def films_of(folder: Path) -> dict[str, Path]:
    """A film for each clip's name: of a finished evaluation, or all mp4 below a folder.

    Raises:
        BadInput: there are none.
    """
    found = _of_evaluation(folder) if (folder / RESULT).is_file() else _of_folder(folder)
    if not found:
        raise BadInput(
            f"{folder} holds no films", remedy="name a folder of mp4, or one that `clapboard evaluate --out` left"
        )
    return found


def truths_of(folder: Path) -> dict[str, Path]:
    """The true films that an evaluation keeps; none of another folder."""
    return _of_folder(folder / "truth") if (folder / RESULT).is_file() else {}


def with_sound(films: Mapping[str, Path]) -> dict[str, Path]:
    """Those that can be opened and have picture and sound."""
    return {clip: path for clip, path in films.items() if _has_sound(path)}


def made_worse(clip: str, truth: Path, folder: Path) -> dict[Maker, Path]:
    """A true film written anew, with its sound late, and still; what is there already is kept.

    All three are written alike: what an encoder leaves tells nobody which is which.

    Raises:
        BadInput: the film cannot be decoded.
    """
    paths = {made: folder / f"{clip}.{made}.mp4" for made in (Maker.TRUTH, Maker.LATE, Maker.STILL)}
    if all(path.is_file() for path in paths.values()):
        return paths
    from training.evaluate.controls import Control, controlled, shifted
    from training.evaluate.films import read_clips
    from training.evaluate.players import write_film

    [whole] = read_clips(truth, _format_of(truth), video_id=clip)
    still = controlled(whole, Control.STATIC, other=whole)
    for made, one in {Maker.TRUTH: whole, Maker.LATE: shifted(whole, LATE_S), Maker.STILL: still}.items():
        write_film(paths[made], one.frames, one, fps=round(one.fps))
    return paths


def _of_folder(folder: Path) -> dict[str, Path]:
    return {_name(path.relative_to(folder)): path.resolve() for path in sorted(folder.rglob("*.mp4"))}


def _name(inside: Path) -> str:
    """A clip's name as evaluations have it: folders are in it."""
    return str(inside.with_suffix("")).replace("/", "__")


def _of_evaluation(folder: Path) -> dict[str, Path]:
    """Its player's films, of all clips; of the truth alone those that it keeps."""
    from training.evaluate.compare import read_evaluation
    from training.evaluate.players import FolderPlayer

    told = json.loads((folder / SHOWN).read_text(encoding="utf-8")) if (folder / SHOWN).is_file() else {}
    place = next((_place(folder, clip, one["film"]) for clip, one in told.items() if one.get("film")), None)
    if place is None:
        return truths_of(folder)
    kept = read_evaluation(folder)
    clips: Iterable[str] = {clip for values in kept.values.values() for clip in values}
    return {clip: path.resolve() for clip in sorted(clips) if (path := FolderPlayer(place).film_of(clip)).is_file()}


def _place(folder: Path, clip: str, film: str) -> Path:
    """Where the films lie of which one is named; an evaluation that was moved has taken its own along."""
    flat = Path(film).stem == clip
    place = Path(film).parents[0 if flat else clip.count("__")]
    moved = folder / "films" / place.name
    return moved if not place.is_dir() and moved.is_dir() else place


def _has_sound(path: Path) -> bool:
    import av

    try:
        with av.open(str(path)) as container:
            return bool(container.streams.video and container.streams.audio)
    except (av.FFmpegError, OSError):
        return False


def _format_of(path: Path) -> "ClipFormat":
    """All of a film, as it is."""
    import av

    from training.evaluate.films import ClipFormat

    with av.open(str(path)) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        fps = max(1, round(float(picture.average_rate or 25)))
        frames = max(2, int((container.duration or 0) / 1e6 * fps))
        size = picture.height - picture.height % 2, picture.width - picture.width % 2
        return ClipFormat(frames=frames, fps=fps, size_px=size, per_video=1, rate_hz=sound.rate)
