"""How well cuts are found: hard cuts, fades and no cuts at all, ours on the curves and PySceneDetect's own decode."""

import argparse
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time

from bench.media import media_files
from bench.result import Goal, Result, Row
from curation.media.analyse import analyse
from curation.media.shots import find_shots
from shards.ffmpeg import ffmpeg_binary

FPS = 24
HALF_S = 2.0
WITHIN_S = 1.01 / FPS
"""A cut counts as found when it is placed within one frame."""

FADE_S = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is joined."""
    parser.add_argument("files", nargs="*", type=Path, help="videos without cuts; by default those of the corpus")
    parser.add_argument("--pairs", type=int, default=60, help="pairs that are joined")


def run(options: argparse.Namespace) -> Result:
    """Join videos that hold no cut, by a cut or by a fade through black, and look for the joint."""
    with tempfile.TemporaryDirectory() as scratch:
        whole = _without_cuts(options.files, Path(scratch))
        pairs = [(whole[n % len(whole)], whole[(n * 7 + 3) % len(whole)]) for n in range(options.pairs)]
        pairs = [(one, other) for one, other in pairs if one != other]
        hard, faded = (
            [_joined(one, other, Path(scratch) / f"{fade}-{n}.mp4", fade=fade) for n, (one, other) in enumerate(pairs)]
            for fade in (False, True)
        )
        rows = [_row("Clapboard", _ours, whole, hard, faded)]
        rows += [_row("PySceneDetect Adaptive", _adaptive, whole, hard, faded)]
    ours, theirs = (float(row["hard_f1"] or 0) for row in rows)
    found = f"{ours:.3f} and {theirs:.3f}"
    goals = [Goal("F1 on hard cuts, within a frame, against Adaptive", ">= its", found, ours >= theirs)]
    notes = [f"{len(hard)} joints of {len(whole)} videos without cuts, as a cut and as a fade through black"]
    return Result(rows=rows, goals=goals, notes=notes, packages=("av", "numpy", "scenedetect"))


Finder = Callable[[Path], Sequence[float]]


def _row(name: str, find: Finder, whole: Sequence[Path], hard: Sequence[Path], faded: Sequence[Path]) -> Row:
    begun = process_time()
    none = [find(path) for path in whole]
    joints = [find(path) for path in hard]
    fades = [find(path) for path in faded]
    spent = process_time() - begun
    hit = sum(any(abs(at - HALF_S) <= WITHIN_S for at in cuts) for cuts in joints)
    extra = sum(abs(at - HALF_S) > WITHIN_S for cuts in joints for at in cuts) + sum(len(cuts) for cuts in none)
    seen = sum(any(abs(at - HALF_S) <= FADE_S for at in cuts) for cuts in fades)
    precision, recall = hit / max(hit + extra, 1), hit / len(hard)
    return {
        "finder": name,
        "hard_recall": round(recall, 3),
        "hard_precision": round(precision, 3),
        "hard_f1": round(2 * precision * recall / max(precision + recall, 1e-9), 3),
        "false_cuts_in_whole": sum(len(cuts) for cuts in none),
        "fade_recall": round(seen / len(faded), 3),
        "cpu_s": round(spent, 1),
    }


def _ours(path: Path) -> list[float]:
    return [start / 1e6 for start, _ in find_shots(analyse(path, thumbnails=False))[1:]]


def _adaptive(path: Path) -> list[float]:
    from scenedetect import AdaptiveDetector, SceneManager, open_video

    manager = SceneManager()
    manager.add_detector(AdaptiveDetector(min_scene_len=3))
    manager.detect_scenes(open_video(str(path)))
    return [float(start.get_seconds()) for start, _ in manager.get_scene_list()[1:]]


def _without_cuts(files: Sequence[Path], scratch: Path) -> list[Path]:
    """Videos of one shot: those given, those of the corpus that are cut from one, else drawn ones."""
    found = media_files(files, folder="known")
    if found:
        return [_normal(path, scratch / f"whole-{number}.mp4") for number, path in enumerate(found)]
    from training.world import SCENES, FilmSpec, draw, write_film

    films = []
    for seed, scene in enumerate(list(SCENES) * 2):
        films.append(scratch / f"drawn-{seed}.mp4")
        write_film(draw(FilmSpec(scene=scene, seed=seed, duration_s=4.0)), films[-1])
    return [_normal(path, scratch / f"whole-{number}.mp4") for number, path in enumerate(films)]


def _normal(path: Path, out: Path) -> Path:
    """One size and rate, so that joining changes nothing but the content."""
    picture = f"scale=320:240:force_original_aspect_ratio=decrease,pad=320:240:-1:-1,setsar=1,fps={FPS}"
    _ffmpeg("-i", path, "-t", "4", "-vf", picture, "-ar", "44100", "-ac", "2", *_encoded(), out)
    return out


def _joined(one: Path, other: Path, out: Path, *, fade: bool) -> Path:
    """The first two seconds of one, then the first two of the other."""
    first, second = f"trim=end={HALF_S},setpts=PTS-STARTPTS", f"trim=end={HALF_S},setpts=PTS-STARTPTS"
    if fade:
        first += f",fade=out:st={HALF_S - FADE_S}:d={FADE_S}"
        second += f",fade=in:st=0:d={FADE_S}"
    sound = f"[0:a]atrim=end={HALF_S}[c];[1:a]atrim=end={HALF_S},asetpts=PTS-STARTPTS[d]"
    graph = f"[0:v]{first}[a];[1:v]{second}[b];{sound};[a][c][b][d]concat=n=2:v=1:a=1[v][s]"
    _ffmpeg("-i", one, "-i", other, "-filter_complex", graph, "-map", "[v]", "-map", "[s]", *_encoded(), out)
    return out


def _encoded() -> list[str]:
    return ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p", "-c:a", "aac"]


def _ffmpeg(*arguments: str | Path) -> None:
    subprocess.run([ffmpeg_binary(), "-v", "error", "-y", *arguments], check=True, timeout=120)
