"""How exact the cut is: offset added between picture and sound, over codecs, containers, frame rates and edit lists."""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from bench import flash
from bench.result import Goal, Result, Row
from curation.media.cut import CutClip, cut

VIDEO = ("libx264", "libvpx-vp9", "libsvtav1")
AUDIO = ("aac", "libopus", "flac")
ALLOWED_MS = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much is cut."""
    parser.add_argument("--spans", type=int, default=12, help="spans cut from each film")
    parser.add_argument("--quick", action="store_true", help="H.264 with AAC alone")


def run(options: argparse.Namespace) -> Result:
    """Cut every film and compare what is seen and heard before and after."""
    rows, seconds = list[Row](), 0.0
    with tempfile.TemporaryDirectory() as folder:
        for film in films(quick=options.quick):
            begun = time.perf_counter()
            rows.append(row_of(film, Path(folder), options.spans))
            seconds += time.perf_counter() - begun
    errors = [float(row["max_ms"] or 0) for row in rows] + [float(row["flac_max_ms"] or 0) for row in rows]
    medians = [float(row["median_ms"] or 0) for row in rows]
    lost = sum(int(row["spans_lost"] or 0) for row in rows)
    wrong = sum(int(row["frames_wrong"] or 0) for row in rows)
    goals = [
        Goal("offset added, largest", f"<= {ALLOWED_MS:g} ms", f"{max(errors):.3f} ms", max(errors) <= ALLOWED_MS),
        Goal("offset added, median", f"<= {ALLOWED_MS:g} ms", f"{median(medians):.3f} ms", max(medians) <= ALLOWED_MS),
        Goal("clips with a wrong number of frames", "0", str(wrong), wrong == 0),
        Goal("spans lost", "0", str(lost), lost == 0),
    ]
    notes = [f"{len(rows)} films, {options.spans} spans each, {seconds:.0f} s"]
    return Result(rows=rows, goals=goals, notes=notes)


def films(*, quick: bool) -> Iterator[flash.Film]:
    """Every combination that a container takes."""
    for video in VIDEO[:1] if quick else VIDEO:
        for audio in AUDIO[:1] if quick else AUDIO:
            for vfr in (False, True):
                yield flash.Film(video, audio, "mp4", vfr=vfr)
                yield flash.Film(video, audio, "mp4", vfr=vfr, edited=True)
                yield flash.Film(video, audio, "mkv", vfr=vfr)


def row_of(film: flash.Film, folder: Path, count: int) -> Row:
    """Cut one film's spans; figures are absolute offsets added, in milliseconds."""
    path = flash.make(film, folder)
    before = flash.events(path)
    source = flash.offsets_ms(before)
    in_mp4, in_flac, wrong, lost = list[float](), list[float](), 0, 0
    for start_us, end_us in flash.spans(float(before.frames_s[-1]), count):
        clip = cut(path, start_us=start_us, end_us=end_us)
        wanted = frames_between(before.frames_s, start_us, end_us)
        after = flash.events(clip.mp4)
        wrong += clip.frames != len(wanted) or len(after.frames_s) != len(wanted)
        lost += abs(clip.first_frame_us - round(1e6 * wanted[0])) > 1000 or _is_short(clip, end_us)
        in_mp4 += added_ms(source, after, clip)
        in_flac += added_ms(
            source, flash.Events(after.flashes_s, flash.events(clip.flac).clicks_s, after.frames_s), clip
        )
    return {
        "film": str(film),
        "events": len(in_mp4),
        "median_ms": round(median(in_mp4), 3),
        "max_ms": round(max(in_mp4), 3),
        "flac_max_ms": round(max(in_flac), 3),
        "frames_wrong": wrong,
        "spans_lost": lost,
    }


def frames_between(frames_s: "np.typing.NDArray[np.float64]", start_us: int, end_us: int) -> list[float]:
    """Times of the frames that belong to a span."""
    return [float(at) for at in frames_s if start_us <= round(1e6 * at) < end_us]


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
