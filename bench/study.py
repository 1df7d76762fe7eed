"""The study to its end, as `clapboard study` runs it, with filmed clips to probe on; docs/study.md tells what it says.

A folder that holds a part of it, or all, is gone on from. With --save its plots and films are kept beside its figures.
"""

import argparse
import csv
import shutil
from pathlib import Path

from bench.natural.corpus import Truth, natural_clips
from bench.result import RESULTS, Goal, Result, measurement
from curation.home.folder import Home
from flows.run import stage_set
from flows.study.arms import ABLATED_SHARE, Data, two_stages
from flows.study.report import write_films, write_report
from flows.study.results import ArmResult
from flows.study.run import StudyParams, study
from flows.study.settings import SIZES, Size
from flows.study.table import answer, by_arm, difference, f1_of
from shards.errors import BadInput

KEPT = RESULTS / "study"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which study, and where it lies."""
    parser.add_argument("--out", type=Path, default=Path("study"), help="the study's folder")
    parser.add_argument("--size", type=Size, default=Size.SMALL, choices=list(Size), help="how large")
    parser.add_argument("--keep", action="store_true", help="copy plots, films and all results to bench/results/study/")


def run(options: argparse.Namespace) -> Result:
    """Go on with the study, and say what it found."""
    root, settings = options.out.absolute(), SIZES[options.size]
    table = _filmed_table(root)
    with stage_set(Home(root)):
        results = study(StudyParams(out=root, size=options.size, probe_on=[str(table)] if table else []))
    report = write_report(root, results, settings)
    write_films(root, results)
    if options.keep:
        shutil.copytree(report.folder, KEPT, dirs_exist_ok=True)
    notes = [
        report.answer,
        f"{settings.evaluated} drawn films of the evaluation split, seeds {', '.join(map(str, settings.seeds))}; "
        f"{settings.one_steps} + {settings.two_steps} steps each; intervals over films and seeds",
        f"reviewers are simulated: {settings.reviewer_error:.0%} of their answers err, {settings.answer_s:g} s each",
    ]
    return Result(
        [dict(row) for row in report.rows], list(_goals(results)), notes, packages=("torch", "diffusers", "prefect")
    )


def _goals(results: list[ArmResult]) -> list[Goal]:
    arms, found = by_arm(results), answer(results)
    alone = arms["curated 100%"]
    tenth = arms.get(two_stages(Data.AUTO, ABLATED_SHARE).name)
    goals = [
        Goal(
            "two stages reach the whole curated set alone with a tenth of it or less",
            "<= 10 %",
            "never" if found.share is None else f"{found.share:.0%}",
            found.share is not None and found.share <= ABLATED_SHARE,
        )
    ]
    pairs = [("our curation less raw, crawl alone", arms[Data.AUTO], arms[Data.RAW])]
    pairs.append(("an oracle less our curation, crawl alone", arms[Data.ORACLE], arms[Data.AUTO]))
    if tenth:
        pairs.append(("two stages with 10 % less all of it alone", tenth, alone))
        pairs.append(("two stages with 10 % less the crawl alone", tenth, arms[Data.AUTO]))
    for what, some, others in pairs:
        value, low, high = difference(some, others)
        goals.append(measurement(what, f"{value:+.3f} [{low:+.3f}, {high:+.3f}] (of {f1_of(others):.3f})"))
    return goals


def _filmed_table(root: Path) -> Path | None:
    """Filmed clips of actions that can be heard, as a table of sources; None where they are not here."""
    try:
        clips = [one for one in natural_clips() if one.truth is Truth.ACTION]
    except BadInput:
        return None
    root.mkdir(parents=True, exist_ok=True)
    path = root / "filmed.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "caption", "label", "licence"))
        writer.writerows((one.path, one.path.stem, "filmed", "unknown") for one in clips)
    return path
