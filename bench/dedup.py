"""How well copies are known again: recall and precision over what is done to re-uploads, and speed among very many."""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.media import media_files
from bench.result import Goal, Result, Row
from curation.dedup.candidates import pairs
from curation.dedup.fingerprint import Fingerprint, fingerprint
from curation.dedup.groups import Item, copies
from curation.dedup.match import DedupSettings
from curation.media.analyse import analyse
from curation.media.timeline import Timeline
from shards.ffmpeg import ffmpeg_binary

SEMITONE = 2 ** (1 / 12)
Named = tuple[tuple[str | int, ...], tuple[str | int, ...]]

RECALL, PRECISION = 0.98, 0.99

EDITS: dict[str, tuple[str, str]] = {
    "encoded again, poorly": ("null", "anull"),
    "half the size": ("scale=trunc(iw/4)*2:trunc(ih/4)*2", "anull"),
    "cropped by a tenth": ("crop=iw*0.9:ih*0.9", "anull"),
    "cropped by a seventh": ("crop=iw*0.857:ih*0.857", "anull"),
    "mirrored": ("hflip", "anull"),
    "with bars": ("scale=iw*0.8:ih*0.8,pad=iw/0.8:ih/0.8:-1:-1", "anull"),
    "with a logo": ("drawbox=iw*0.75:ih*0.05:iw*0.2:ih*0.15:white:fill", "anull"),
    "brighter": ("eq=brightness=0.12:contrast=1.2", "anull"),
    "at 30 frames a second": ("fps=30", "anull"),
    "begun 0.37 s later": ("trim=start=0.37,setpts=PTS-STARTPTS", "atrim=start=0.37,asetpts=PTS-STARTPTS"),
    "a semitone higher": ("null", f"aresample=48000,asetrate=48000*{SEMITONE},aresample=48000,atempo=1/{SEMITONE}"),
    "a semitone lower": ("null", f"aresample=48000,asetrate=48000/{SEMITONE},aresample=48000,atempo={SEMITONE}"),
    "quieter, without bass": ("null", "volume=0.3,highpass=f=300"),
    "with an echo": ("null", "aecho=0.8:0.8:40:0.3"),
    "in mono": ("null", "pan=mono|c0=0.5*c0+0.5*c1"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Clip:
    name: str
    start_us: int
    end_us: int
    prints: Fingerprint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is copied."""
    parser.add_argument("files", nargs="*", type=Path, help="videos; by default those of the corpus, filmed ones first")
    parser.add_argument("--films", type=int, default=40, help="most videos that are edited")
    parser.add_argument("--index", type=int, default=200_000, help="clips among which speed is measured; 0 leaves it")


def run(options: argparse.Namespace) -> Result:
    """Edit every film in every way, look for the copies among all films and their hard look-alikes."""
    rows, pairs_right, pairs_wrong, missed, tried = list[Row](), set[Named](), set[Named](), 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        films = _films(options.files, Path(scratch))
        base = [clip for film in films for clip in _clips(film)]
        base += _look_alikes(films)
        for name in EDITS:
            edited = [edited_clip(film, name, Path(scratch)) for film in films[: options.films]]
            found, seconds = _found(base, edited)
            known = {one for one, other in found if one[0] == "copy" and one[1] == other[1]}
            wrong = {(one, other) for one, other in found if one[1] != other[1]}
            # Originals are compared anew with every edit; what is found among them counts once.
            pairs_right |= {((name, *one), other) for one, other in found if one[1] == other[1] and one[0] == "copy"}
            pairs_right |= {(one, other) for one, other in found if one[1] == other[1] and one[0] != "copy"}
            pairs_wrong |= wrong
            tried, missed = tried + len(edited), missed + len(edited) - len(known)
            row: Row = {"edit": name, "copies": len(edited), "found": len(known), "wrong": len(wrong)}
            rows.append(row | {"recall": round(len(known) / len(edited), 3), "seconds": round(seconds, 2)})
    recall, precision = 1 - missed / tried, len(pairs_right) / (len(pairs_right) + len(pairs_wrong))
    goals = [
        Goal("recall over all edits", f">= {RECALL}", f"{recall:.3f}", recall >= RECALL),
        Goal("precision over all edits", f">= {PRECISION}", f"{precision:.3f}", precision >= PRECISION),
    ]
    notes = [f"{len(base)} clips of {len(films)} videos; look-alikes: other moments, same picture, same sound"]
    if options.index:
        notes.append(_speed(options.index))
    return Result(rows=rows, goals=goals, notes=notes, packages=("av", "numpy", "scipy"))


def _films(files: Sequence[Path], scratch: Path) -> list[Path]:
    """Those that were named, or all of the corpus, filmed ones first: what is edited is filmed; and drawn ones."""
    if files:
        found = media_files(files)
    else:
        found = [path for folder in ("natural", "known", "real") for path in media_files([], folder=folder)]
    return [*(path for path in found if _usable(path)), *_drawn(scratch)]


def _usable(path: Path) -> bool:
    try:
        return analyse(path, thumbnails=False).duration_us >= 3_000_000
    except Exception:  # the corpus holds broken files on purpose
        return False


def _drawn(folder: Path) -> list[Path]:
    """Two films of each drawn scene: very much alike, and no copies."""
    from training.world import SCENES, FilmSpec, draw, write_film

    found = []
    for scene in SCENES:
        for seed in (1, 2):
            found.append(folder / f"{scene}-{seed}.mp4")
            write_film(draw(FilmSpec(scene=scene, seed=seed, duration_s=5.0)), found[-1])
    return found


def _clips(film: Path) -> list[_Clip]:
    """The first seconds of a film, and as a look-alike the last ones where they are others."""
    line = analyse(film, thumbnails=False)
    whole, end = fingerprint(line), min(line.duration_us, 4_000_000)
    found = [_Clip(film.stem, 0, end, whole.span(0, end))]
    if line.duration_us >= 9_000_000:
        last = line.duration_us - 4_000_000
        found.append(_Clip(f"{film.stem} later", last, line.duration_us, whole.span(last, line.duration_us)))
    return found


def _look_alikes(films: Sequence[Path]) -> list[_Clip]:
    """Each picture with the sound of the next film: a copy of the one it looks like, not of the one it sounds like."""
    lines = [analyse(film, thumbnails=False) for film in films]
    return [
        _Clip(film.stem, 0, 4_000_000, fingerprint(_with_sound(one, other)).span(0, 4_000_000))
        for film, one, other in zip(films, lines, lines[1:], strict=False)
    ]


def _with_sound(one: Timeline, other: Timeline) -> Timeline:
    return replace(one, waveform=other.waveform, audio_start_us=other.audio_start_us, rate_hz=other.rate_hz)


def edited_clip(film: Path, edit: str, scratch: Path) -> "_Clip":
    """The first seconds of an edited copy."""
    line = analyse(edited_file(film, edit, scratch / "edited.mp4"), thumbnails=False)
    end = min(line.duration_us, 3_900_000)
    return _Clip(film.stem, 0, end, fingerprint(line).span(0, end))


def edited_file(film: Path, edit: str, path: Path) -> Path:
    """Write a film as somebody would upload it anew: edited, smaller, and encoded poorly."""
    video, audio = EDITS[edit]
    filters = ["-vf", f"{video},scale=trunc(iw/2)*2:trunc(ih/2)*2", "-af", f"aformat=channel_layouts=stereo,{audio}"]
    codecs = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "32", "-c:a", "aac", "-b:a", "64k", "-ar", "44100"]
    command: list[str | Path] = [ffmpeg_binary(), "-v", "error", "-y", "-t", "6", "-i", film, *filters, *codecs, path]
    subprocess.run(command, check=True, timeout=120)
    return path


def _found(base: Sequence[_Clip], edited: Sequence[_Clip]) -> tuple[set[Named], float]:
    """Pairs (copy, what it is a copy of), each as (kind, film, number), and how long that took."""
    clips = [*(("original", clip) for clip in base), *(("copy", clip) for clip in edited)]
    names = {f"{kind} {number:05d}": (kind, clip.name, number) for number, (kind, clip) in enumerate(clips)}
    ranks = {"original": 1.0, "copy": 0.5}
    items = [_item(key, clip, ranks[kind]) for key, (kind, clip) in zip(names, clips, strict=True)]
    begun = time.perf_counter()
    found = copies(items, DedupSettings())
    return {(names[one], names[other]) for one, other in found.items()}, time.perf_counter() - begun


def _item(key: str, clip: _Clip, rank: float) -> Item:
    return Item(key, key, clip.start_us, clip.end_us, key, clip.prints, (rank,))


def _speed(count: int) -> str:
    """Candidates among so many clips of chance with one copy in a hundred."""
    chance = np.random.default_rng(0)
    clips = [
        Fingerprint(
            np.arange(0, 3000, 250, dtype=np.uint32),
            chance.integers(0, 1 << 63, 12).astype(np.uint64),
            chance.random(24).astype(np.float32),
            chance.integers(1, 1 << 32, 48).astype(np.uint32),
        )
        for _ in range(count - count // 100)
    ]
    clips += clips[: count // 100]
    begun = time.perf_counter()
    found = sum(1 for _ in pairs(clips))
    return f"{count} clips searched in {time.perf_counter() - begun:.0f} s: {found} pairs of {count // 100} planted"
