"""The prior: P(good) and band edges fitted on drawn films of known truth, for as long as no person has judged any clip.

With --write the result becomes `curation/decide/prior.json`, from which policies take their defaults.
"""

import argparse
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench.cases import Case, Clip, Fault, cases, columns_of_cases, drawn_clips
from bench.result import Goal, Result, Row
from curation.decide.calibrate import Calibration, calibrate, facts
from curation.decide.fitting import Example
from curation.decide.odds import Odds
from curation.decide.policy import PRIOR
from curation.scores.base import Evidence
from curation.scores.trends import columns_of, trends

SCORES = ("motion", "loudness", "sync")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many films."""
    parser.add_argument("--films", type=int, default=240, help="half of them shaken and noisy")
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument(
        "--target",
        type=float,
        default=0.99,
        help="precision of what is accepted: more than is usual, since web video is harder",
    )
    parser.add_argument("--write", action="store_true", help="make it the default of policies")


def run(options: argparse.Namespace) -> Result:
    """Draw, measure, fit, and say how well the fit does on folds it has not seen."""
    with tempfile.TemporaryDirectory() as scratch:
        clips: list[Clip] = []
        for shaky in (False, True):
            clips += drawn_clips(options.films // 2, seed=options.seed, shaky=shaky, folder=Path(scratch))
        found = examples(list(cases(clips, seed=options.seed, narrate=True)))
    synchrony = {name: trend for name, trend in trends().items() if name in columns_of(Evidence.SYNCHRONY)}
    fit = calibrate(found, Odds(), trends=synchrony, target_precision=options.target)
    if options.write:
        _write(fit, options)
    rows: list[Row] = [
        {"column": name, "weight": weight, "centre": fit.odds.centres[name]}
        for name, weight in fit.odds.weights.items()
    ]
    error = fit.calibration_error
    found_precision = f"{options.target} or more", str(fit.precision), fit.precision.high >= options.target
    goals = [
        Goal("precision of what is accepted", *found_precision),
        Goal("distance of predicted and observed", "<= 0.03", f"{error:.3f}", error <= 0.03),
    ]
    notes = [
        f"intercept {fit.odds.intercept}, accept from {fit.odds.accept_at}, review from {fit.odds.review_at}",
        f"recall {fit.recall}; {fit.good} of {fit.examples} cases are right, about the share that the predecessor kept",
    ]
    return Result(rows=rows, goals=goals, notes=notes, packages=("numpy", "scipy"))


def examples(found: list[Case], *, scores: tuple[str, ...] = SCORES) -> list[Example]:
    """Cases as calibration sees clips; what is silent or frozen no policy lets through, so it is left out."""
    measured = columns_of_cases(found, scores)
    return [
        Example(columns, case.fault is Fault.NONE, case.clip.name)
        for case, columns in zip(found, measured, strict=True)
        if case.fault not in (Fault.SILENT, Fault.FROZEN)
    ]


def _write(fit: Calibration, options: argparse.Namespace) -> None:
    document = {
        "origin": f"clapboard bench prior --films {options.films} --seed {options.seed} --target {options.target}",
        "date": datetime.now(UTC).date().isoformat(),
        "policy": fit.odds.model_dump(mode="json", include=set(Odds.model_fields)),
        "report": facts(fit),
    }
    PRIOR.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
