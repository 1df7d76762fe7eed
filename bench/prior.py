"""The prior: what synchrony scores say of filmed clips, fitted on the tune side of the natural corpus and its twins.

Two fits. The likelihood of `curation.scores.synchrony.posterior`, which turns what stands out at a lag into
probabilities; and P(good) with the edges of the bands, for as long as no person has judged any clip. With --write they
become `curation/scores/synchrony/film.json` and `curation/decide/prior.json`.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.natural.corpus import IN_SYNC, Side, natural_clips
from bench.natural.likelihood import curves, fitted
from bench.natural.measure import Found, Job
from bench.natural.running import measured, twins_folder
from bench.natural.twins import MUSIC, NARRATED, RIGHT, SHIFTS_S, SWAPPED, twins_of
from bench.result import Goal, Result, Row, measurement
from curation.decide.fitting import Array, Example, folds, from_outside
from curation.decide.fitting import fitted as fitted_odds
from curation.decide.odds import Odds
from curation.decide.policy import PRIOR
from curation.scores.synchrony.posterior import FILM

SCORES = ("motion", "loudness", "sync")
TRENDS = {"p_in_sync": 1, "sync_at_zero": 1, "window_sync": 1}
"""What may tell right from wrong on film. `silence_ratio` would learn the hole that a moved sound leaves."""

WORTH = {**dict.fromkeys(SHIFTS_S, 1 / 12), SWAPPED: 1 / 4, MUSIC: 1 / 8, NARRATED: 1 / 8}
"""How many clips each wrong twin stands for: a clip's twins together count as much as the clip."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How sure one must be."""
    parser.add_argument("--wrong", type=float, default=0.1, help="most wrong twins that may be accepted unseen")
    parser.add_argument("--surely", type=float, default=0.9, help="least share of wrong among what is rejected unseen")
    parser.add_argument("--workers", type=int, default=2, help="processes that measure")
    parser.add_argument("--twins", type=Path, help="where twins are kept for the next run (default: nowhere)")
    parser.add_argument("--write", action="store_true", help="make it what scores and policies start from")


def run(options: argparse.Namespace) -> Result:
    """Fit the likelihood, then P(good), and say how well the latter does on repositories it has not seen.

    Raises:
        BadInput: the corpus is not here.
    """
    corpus = natural_clips()
    chosen = [one for one in corpus if one.side is Side.TUNE and one.truth in IN_SYNC]
    with twins_folder(options.twins) as folder:
        jobs = [Job(one, twins_of(one, corpus), folder, SCORES) for one in chosen]
        likelihood = asdict(fitted(curves(jobs, workers=options.workers)))
        if options.write:
            _write(FILM, {"likelihood": likelihood})
        # Scores read the file, so what was written is what they are measured with; without --write, what ships.
        found = examples(list(measured(jobs, workers=options.workers)))
    odds = fitted_odds(found, Odds(), sorted(TRENDS), TRENDS)
    judged = Judged.of(found, odds)
    edges = {"accept_at": judged.accept_from(options.wrong), "review_at": judged.reject_below(options.surely)}
    odds = odds.model_copy(update=edges)
    if options.write:
        _write(PRIOR, {"policy": odds.model_dump(mode="json", include=set(Odds.model_fields)), **judged.told(odds)})
    return _result(options, judged, odds, likelihood)


def examples(found: Sequence[Found]) -> list[Example]:
    """Files as calibration sees clips, of one group by repository; frozen ones are for a gate to turn away."""
    return [
        Example(one.take, one.kind == RIGHT, one.clip.repository, 1.0 if one.kind == RIGHT else WORTH[one.kind])
        for one in found
        if one.take and (one.kind == RIGHT or one.kind in WORTH)
    ]


@dataclass(frozen=True, slots=True)
class Judged:
    """Files with their P(good) by fits that saw nothing of their repository, each (files,)."""

    predicted: Array
    good: NDArray[np.bool_]
    weight: Array

    @classmethod
    def of(cls, found: Sequence[Example], odds: Odds) -> "Judged":
        """`odds` names the columns."""
        predicted = from_outside(found, folds(found), Odds(), list(odds.weights), TRENDS)
        good, weight = np.array([one.good for one in found]), np.array([one.weight for one in found])
        known = ~np.isnan(predicted)
        return cls(predicted[known], good[known], weight[known])

    def accept_from(self, wrong: float) -> float:
        """The lowest P(good) from which at most this share of the wrong files is accepted."""
        edges = np.unique(self.predicted)
        meets = [edge for edge in edges if self.share(self.predicted >= edge, good=False) <= wrong]
        return round(float(min(meets)), 6) if meets else 1.0

    def reject_below(self, surely: float) -> float:
        """The highest P(good) below which at least this share is wrong, right and wrong equally common; 0 where
        nothing is as sure as that."""
        best = 0.0
        for edge in np.unique(self.predicted):
            right, wrong = (self.share(self.predicted < edge, good=good) for good in (True, False))
            enough = (self.predicted < edge).sum() >= 2 / (1 - surely)
            if enough and wrong / (right + wrong) >= surely:
                best = float(edge)
        return best

    def share(self, chosen: NDArray[np.bool_], *, good: bool) -> float:
        """The weighted share of right, or of wrong, files that are chosen."""
        of = self.good == good
        return float((self.weight * chosen)[of].sum() / self.weight[of].sum())

    def told(self, odds: Odds) -> dict[str, Any]:
        """What the edges do to files of unseen repositories, as facts to be kept."""
        chosen = {"accepted": self.predicted >= odds.accept_at, "rejected": self.predicted < odds.review_at}
        shares = {
            f"{truth}_{what}": round(self.share(ones, good=truth == "right"), 4)
            for truth in ("right", "wrong")
            for what, ones in chosen.items()
        }
        return {"report": {"right": int(self.good.sum()), "wrong": int((~self.good).sum()), **shares}}


def _result(options: argparse.Namespace, judged: Judged, odds: Odds, likelihood: Mapping[str, float]) -> Result:
    rows: list[Row] = [
        {"column": name, "weight": weight, "centre": odds.centres[name]} for name, weight in odds.weights.items()
    ]
    told = judged.told(odds)["report"]
    wrong = told["wrong_accepted"]
    return Result(
        rows=rows,
        goals=[
            Goal("wrong twins accepted", f"<= {options.wrong:.0%}", f"{wrong:.1%}", wrong <= options.wrong),
            measurement("right clips accepted", f"{told['right_accepted']:.1%}"),
            measurement(
                "right clips, wrong twins rejected", f"{told['right_rejected']:.1%}, {told['wrong_rejected']:.1%}"
            ),
        ],
        notes=[
            f"intercept {odds.intercept}, accept from {odds.accept_at}, review from {odds.review_at}",
            f"likelihood of offsets: {likelihood}",
            f"{told['right']} right clips of the tune side and their twins, which count as much; judged by fits that "
            "saw nothing of the repository",
        ],
        packages=("numpy", "scipy"),
    )


def _write(path: Path, what: Mapping[str, Any]) -> None:
    document = {"origin": "clapboard bench prior --write", "date": datetime.now(UTC).date().isoformat(), **what}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
