"""Is every published frame under its own sound, whatever is wrong with a film's stamps, or is it told?

Films are made whose pictures and samples tell their own time, with clocks that begin anew, wobble, have holes, lie
before zero, leap for a moment, come out of order, and headers that lie about rate and length: one fault or several.
Each is analysed, and a clip is cut and read. A clip is right where each picture lies within a millisecond of the
sound that was taken with it; it is told where the record says by how much stamps lie off, or what is missing.
"""

import argparse
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from bench.result import Goal, Result, Row
from bench.timing_films import STEP_MS, Faults, drawn, read, write
from curation.media.analyse import analyse
from curation.media.cut import cut
from curation.media.failures import MediaFailure
from curation.media.timeline import Timeline

ALLOWED_MS = 1.0
"""Beside what the millisecond of Matroska's stamps rounds away."""

ROUNDED_MS = 0.5
CLIP_US = 2_000_000
LONGEST_US = 30_000_000
"""Four seconds in four parts, each of whose clocks may leap by seconds; a stamp that is an hour off is none."""


@dataclass(frozen=True, slots=True)
class Found:
    """How a film ended: an outcome, or clips and what is wrong with them, a sentence each."""

    outcome: str
    clips: int
    told: int
    wrong: tuple[str, ...]
    largest_ms: float = 0.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many films."""
    parser.add_argument("--films", type=int, default=5_000, help="films with faults by chance")
    parser.add_argument("--workers", type=int, default=2, help="processes")


def run(options: argparse.Namespace) -> Result:
    """Make, analyse, cut and read every film."""
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(options.workers) as pool:
        work = partial(_seeded, folder=Path(folder))
        return result_of(list(pool.map(work, range(options.films), chunksize=50)))


def result_of(found: Sequence[Found]) -> Result:
    """The figures of films."""
    outcomes = Counter(one.outcome for one in found)
    wrong = sum(bool(one.wrong) for one in found)
    unnamed = sum(count for name, count in outcomes.items() if name.startswith("error"))
    rows: list[Row] = [
        {
            "outcome": name,
            "films": count,
            "clips": sum(one.clips for one in found if one.outcome == name),
            "told": sum(one.told for one in found if one.outcome == name),
            "films_wrong": sum(bool(one.wrong) for one in found if one.outcome == name),
        }
        for name, count in sorted(outcomes.items())
    ]
    largest = max((one.largest_ms for one in found), default=0.0)
    goals = [
        Goal("films with a frame that is not under its own sound and not told", "0", str(wrong), wrong == 0),
        Goal("films that ended without a typed outcome", "0", str(unnamed), unnamed == 0),
        Goal("picture and sound apart where nothing is told, at most", "<= 1 ms", f"{largest:.2f} ms", largest <= 1),
    ]
    clips, why = sum(one.clips for one in found), " ".join(one.wrong[0] for one in found if one.wrong)
    notes = [f"{len(found)} films, {clips} clips; {why[:500] or 'none is wrong'}"]
    return Result(rows=rows, goals=goals, notes=notes)


def _seeded(seed: int, *, folder: Path) -> Found:
    path = folder / f"{seed}.mkv"
    try:
        return examine(drawn(seed), path)
    except Exception as error:
        return Found(f"error: {type(error).__name__}", 0, 0, (f"{drawn(seed)}: {error}",))
    finally:
        path.unlink(missing_ok=True)


def examine(faults: Faults, path: Path) -> Found:
    """Write one film, analyse it, cut a clip inside one of its shots, and read it."""
    write(faults, path)
    try:
        line = analyse(path, thumbnails=False)
    except MediaFailure as failure:
        return Found(failure.outcome, 0, 0, ())
    clips, told, wrong, largest = 0, 0, list[str](), 0.0
    if line.duration_us > LONGEST_US:
        wrong.append(f"{faults}: it is said to last {line.duration_us} us")
    for start_us, end_us in [random.Random(faults.seed).choice([*_spans(line)])]:
        clip = cut(path, start_us=start_us, end_us=end_us)
        found = read(clip)
        clips += 1
        told += bool(clip.wobble_us or clip.silent_us or clip.frozen_us or clip.smeared_us)
        apart = float(found.apart_ms.max(initial=0))
        if not clip.wobble_us and not clip.smeared_us:
            largest = max(largest, apart)
        allowed = ALLOWED_MS + ROUNDED_MS + clip.wobble_us / 1000
        silent_ms = STEP_MS * (len(found.at_ms) - len(found.apart_ms))
        if clip.smeared_us:
            # Damaged pictures cannot be read.
            continue
        if apart > allowed:
            wrong.append(f"{faults}: {apart:.2f} ms apart in {start_us}-{end_us}, {allowed:.2f} allowed")
        if silent_ms > (clip.silent_us + clip.wobble_us) / 1000 + STEP_MS:
            wrong.append(f"{faults}: {silent_ms} ms silent in {start_us}-{end_us}, {clip.silent_us} us told")
        if clip.frames != len(found.at_ms) or any(after <= one for one, after in pairwise(found.seen_ms)):
            wrong.append(f"{faults}: pictures out of order in {start_us}-{end_us}")
    return Found("ok", clips, told, tuple(wrong), largest)


def _spans(line: Timeline) -> Iterator[tuple[int, int]]:
    """Clips of a second, and what is left, that cross no seam."""
    edges = [0, *(int(line.frame_us[at]) for at in line.seams), line.duration_us]
    for begin_us, end_us in pairwise(edges):
        for start_us in range(begin_us, end_us, CLIP_US):
            inside = line.frame_us[(line.frame_us >= start_us) & (line.frame_us < min(start_us + CLIP_US, end_us) - 12)]
            if len(inside):
                yield start_us, min(start_us + CLIP_US, end_us)
