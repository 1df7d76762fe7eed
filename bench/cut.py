"""How exact the cut is: offset added between picture and sound, over codecs, containers, frame rates and edit lists.

Beside it stand the recipes of other tools, by the ffmpeg program. An offset is taken twice: by the time stamps, as
players do, and by counting frames and samples from zero, as most readers of training data do.
"""

import argparse
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bench import flash
from bench.result import Goal, Result, Row
from curation.media.cut import TOLERANCE_US, CutClip, cut
from shards.ffmpeg import ffmpeg_binary

VIDEO = ("libx264", "libvpx-vp9", "libsvtav1")
AUDIO = ("aac", "libopus", "flac")
ALLOWED_MS = 1.0
SPEED_S = 4.0

X264 = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-threads", "1"]
RECIPES = {
    "packets copied": ["-c", "copy"],
    "picture encoded, sound copied": [*X264, "-c:a", "copy"],
    "both encoded": [*X264, "-c:a", "aac", "-b:a", "192k"],
}
"""What follows `ffmpeg -ss START -i FILE -t LENGTH` in other tools: copies of packets, cosmos-curate and Panda-70M."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much is cut."""
    parser.add_argument("--spans", type=int, default=12, help="spans cut from each film")
    parser.add_argument("--quick", action="store_true", help="H.264 with AAC alone")


def run(options: argparse.Namespace) -> Result:
    """Cut every film and compare what is seen and heard before and after."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        own = [row_of(film, folder, options.spans) for film in films(quick=options.quick)]
        others = [recipe_row(name, folder, options.spans) for name in RECIPES]
        ours_s, theirs_s = _cpu_s_a_clip(folder)
    names = ("max_ms", "counted_max_ms", "flac_max_ms")
    largest = max(float(row[name] or 0) for row in own for name in names)
    medians = [float(row["median_ms"] or 0) for row in own]
    lost, wrong = (sum(int(row[name] or 0) for row in own) for name in ("spans_lost", "frames_wrong"))
    goals = [
        Goal("offset added, largest", f"<= {ALLOWED_MS:g} ms", f"{largest:.3f} ms", largest <= ALLOWED_MS),
        Goal("offset added, median", f"<= {ALLOWED_MS:g} ms", f"{median(medians):.3f} ms", max(medians) <= ALLOWED_MS),
        Goal("clips with a wrong number of frames", "0", str(wrong), wrong == 0),
        Goal("spans lost", "0", str(lost), lost == 0),
    ]
    notes = [
        f"{len(own)} films, {options.spans} spans each",
        f"4 s of 640x360 at 24 frames a second, same x264 settings: {ours_s:.2f} processor seconds a clip"
        f" ({1 / ours_s:.1f} clips a second and core) with the exact sound, {theirs_s:.2f} by an ffmpeg process a clip"
        " without it",
    ]
    return Result(rows=[*own, *others], goals=goals, notes=notes)


def films(*, quick: bool) -> Iterator[flash.Film]:
    """Every combination that a container takes."""
    for video in VIDEO[:1] if quick else VIDEO:
        for audio in AUDIO[:1] if quick else AUDIO:
            for vfr in (False, True):
                yield flash.Film(video, audio, "mp4", vfr=vfr)
                yield flash.Film(video, audio, "mp4", vfr=vfr, edited=True)
                yield flash.Film(video, audio, "mkv", vfr=vfr)
                if video != "libx264" and audio == "libopus":
                    yield flash.Film(video, audio, "webm", vfr=vfr)


def row_of(film: flash.Film, folder: Path, count: int) -> Row:
    """Cut one film's spans; figures are absolute offsets added, in milliseconds."""
    path = flash.make(film, folder)
    before = flash.events(path)
    source = flash.offsets_ms(before)
    seen, counted, in_flac, wrong, lost = list[float](), list[float](), list[float](), 0, 0
    for start_us, end_us in flash.spans(float(before.frames_s[-1]), count):
        clip = cut(path, start_us=start_us, end_us=end_us)
        wanted = frames_between(before.frames_s, start_us, end_us)
        after = flash.events(clip.mp4)
        wrong += clip.frames != len(wanted) or len(after.frames_s) != len(wanted)
        lost += abs(clip.first_frame_us - round(1e6 * wanted[0])) > 1000 or _is_short(clip, end_us)
        seen += added_ms(source, after, clip)
        counted += added_ms(source, after.counted, clip)
        flac = flash.Events(after.flashes_s, flash.events(clip.flac).clicks_s, after.frames_s)
        in_flac += added_ms(source, flac, clip)
    return {
        "film": str(film),
        "events": len(seen),
        "median_ms": round(median(seen), 3),
        "max_ms": round(max(seen), 3),
        "counted_max_ms": round(max(counted), 3),
        "flac_max_ms": round(max(in_flac), 3),
        "frames_wrong": wrong,
        "spans_lost": lost,
    }


def recipe_row(name: str, folder: Path, count: int) -> Row:
    """The same figures for a recipe of `RECIPES`, on H.264 with AAC in MP4; events are clips whose offset can be told.

    Where a clip begins cannot be known of a file alone, so offsets are told from the pattern of flashes and clicks.
    """
    path = flash.make(flash.Film(), folder)
    before = flash.events(path)
    seen, counted, wrong = list[float](), list[float](), 0
    for start_us, end_us in flash.spans(float(before.frames_s[-1]), count):
        after = flash.events(_spawned(path, folder / "recipe.mp4", RECIPES[name], start_us / 1e6, end_us / 1e6))
        wrong += len(after.frames_s) != len(frames_between(before.frames_s, start_us, end_us))
        seen += [abs(shift) for shift in [flash.shift_ms(after)] if shift is not None]
        counted += [abs(shift) for shift in [flash.shift_ms(after.counted)] if shift is not None]
    return {
        "film": f"{name} (ffmpeg -ss -t)",
        "events": len(seen),
        "median_ms": round(median(seen), 3) if seen else None,
        "max_ms": round(max(seen), 3) if seen else None,
        "counted_max_ms": round(max(counted), 3) if counted else None,
        "flac_max_ms": None,
        "frames_wrong": wrong,
        "spans_lost": None,
    }


def frames_between(frames_s: NDArray[np.float64], start_us: int, end_us: int) -> list[float]:
    """Times of the frames that belong to a span; an edge within the cutter's tolerance of a frame is that frame's."""
    return [float(at) for at in frames_s if start_us <= round(1e6 * at) + TOLERANCE_US < end_us]


def added_ms(source: dict[float, float], after: flash.Events, clip: CutClip) -> list[float]:
    """What cutting added to the offset of each event that both have, as absolute values."""
    found = []
    for flash_s, offset in flash.offsets_ms(after).items():
        at = flash_s + clip.first_frame_us / 1e6
        before = [value for one, value in source.items() if abs(one - at) < 0.002]
        found += [abs(offset - value) for value in before]
    return found


def _is_short(clip: CutClip, end_us: int) -> bool:
    """Whether its sound does not reach the wanted end."""
    return abs(clip.first_frame_us + clip.duration_us - end_us) > 1


def _spawned(source: Path, out: Path, recipe: list[str], start_s: float, end_s: float) -> Path:
    span = ["-threads", "1", "-ss", f"{start_s:.6f}", "-i", str(source), "-t", f"{end_s - start_s:.6f}"]
    subprocess.run([ffmpeg_binary(), "-v", "error", "-y", *span, *recipe, out], check=True, timeout=60)
    return out


def _cpu_s_a_clip(folder: Path) -> tuple[float, float]:
    """Processor seconds for a clip of four seconds: ours, and by an ffmpeg process a clip with the same settings."""
    film, out = folder / "speed.mp4", folder / "spawned.mp4"
    drawn = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=24:d=40", "-f", "lavfi", "-i", "sine=440:d=40"]
    coded = ["-c:v", "libx264", "-preset", "veryfast", "-g", "120", "-c:a", "aac", str(film)]
    subprocess.run([ffmpeg_binary(), "-v", "error", "-y", *drawn, *coded], check=True, timeout=120)
    same = [*RECIPES["both encoded"], "-bf", "0", "-g", "12", "-x264-params", "scenecut=0"]
    starts = [0.5 + 5.3 * number for number in range(6)]
    cut(film, start_us=0, end_us=1_000_000)
    ours = _spent(lambda: [cut(film, start_us=round(at * 1e6), end_us=round((at + SPEED_S) * 1e6)) for at in starts])
    theirs = _spent(lambda: [_spawned(film, out, same, at, at + SPEED_S) for at in starts])
    return ours / len(starts), theirs / len(starts)


def _spent(work: Callable[[], object]) -> float:
    before = os.times()
    work()
    after = os.times()
    return sum(after[:4]) - sum(before[:4])
