"""Can the scores be believed? Right clips, and the same made wrong: AUC, offsets, calibration, correction.

Right are clips of the corpus whose picture is known to match, and drawn films, half of them shaken and noisy. See
bench/cases.py for how they are made wrong.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from bench.cases import (
    WINDOW_US,
    Case,
    Clip,
    Fault,
    cases,
    columns_of_cases,
    drawn_clips,
    fitted,
    jittered,
    known_clips,
    rolled,
)
from bench.media import corpus
from bench.result import Goal, Result, Row, measurement
from bench.stats import RESAMPLINGS, Values, at_precision, auc
from curation.clips import propose
from curation.decide.calibrate import calibrate, weighted_share, wilson
from curation.decide.correction import constant_offset_s, corrected
from curation.decide.fitting import Example
from curation.decide.odds import Odds, probability
from curation.decide.policy import Band, Policy, decide
from curation.media.timeline import Timeline, Window
from curation.outcomes import Outcome
from curation.scores.registry import build
from curation.scores.sync import SyncScore
from curation.scores.synchrony.posterior import MAX_OFFSET_S
from curation.scores.trends import trends
from shards.errors import Unavailable

SCORES = ("motion", "loudness", "sync", "av_align", "diegesis", "speech")
FAR_S = 0.3
COSTED = 200
TARGET = 0.95
TARGETS = (0.90, 0.95, 0.98)
LATE_S = (0.06, 0.8)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many films."""
    parser.add_argument("--films", type=int, default=120, help="drawn films of a set")
    parser.add_argument("--seed", type=int, default=7)


def run(options: argparse.Namespace) -> Result:
    """Measure all sets and put the figures side by side."""
    names = tuple(name for name in SCORES if _usable(name))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)

        def drawn(seed: int, *, shaky: bool) -> list[Clip]:
            return drawn_clips(options.films, seed=10_000 * seed, shaky=shaky, folder=folder)

        sets = {"drawn, shaky": drawn(options.seed, shaky=True), "drawn, steady": drawn(options.seed, shaky=False)}
        fresh = drawn(options.seed + 1, shaky=True) + drawn(options.seed + 1, shaky=False)
    if root := corpus():
        sets = {"known": known_clips(root)} | sets
    rows: list[Row] = []
    goals: list[Goal] = []
    for name, clips in sets.items():
        found = list(cases(clips, seed=options.seed, narrate=True))
        measured = columns_of_cases(found, names)
        rows += _columns(name, found, measured)
        goals += _goals(name, found, measured)
        goals += _accepted(name, found, measured)
    cost = ", ".join(f"{name} {_cost_ms(found, name):.1f}" for name in names)
    learnt = [clip for name, clips in sets.items() if name.startswith("drawn") for clip in clips]
    goals += _calibration(learnt, fresh, options.seed)
    goals += _corrections(fresh, options.seed)
    notes = [
        f"milliseconds a window: {cost}",
        f"{options.films} films a drawn set, windows of {WINDOW_US / 1e6:g} s",
        "AUC of a right clip against the fault; far: shifted by 0.3 s or more; all: every fault; its 95 % interval: "
        "films drawn by lot, each with all that was made of it (a clip of the known set counts as a film)",
        "shares have Wilson's interval, as if windows were independent: for those of one film it is too narrow",
        f"offset errors leave out the shifts by {MAX_OFFSET_S:g} s, which lie at the very end of the offsets looked at",
        "P(good) is that of the shipped prior; policy ranks what gates, offset or P(good) reject below the rest",
        f"recall and false accepts at a precision of {TARGET:.0%} over all faults, right and wrong equally common",
    ]
    return Result(rows=rows, goals=goals, notes=notes, packages=("numpy", "scipy", "torch", "silero-vad"))


def _columns(name: str, found: Sequence[Case], measured: Sequence[dict[str, float]]) -> list[Row]:
    """A row for each column that calibration may use, for P(good), and for the policy: AUC by fault."""
    rows = []
    for column, value in _judges().items():
        by_kind = _by_kind(found, measured, value)
        if np.isnan(by_kind["none"]).all():
            continue
        good, far = by_kind.pop("none"), _far(by_kind)
        wrong = np.stack(list(by_kind.values()))
        row: Row = {"set": name, "column": column, "far": _told(good, far), "all": _told(good, wrong)}
        row |= {kind.removeprefix("shifted "): round(auc(good, values), 3) for kind, values in by_kind.items()}
        recall, false_accepts = at_precision(good, wrong.ravel(), precision=TARGET)
        rows.append(row | {"recall": round(recall, 3), "false_accepts": round(false_accepts, 3)})
    return rows


def _judges() -> dict[str, Callable[[dict[str, float]], float]]:
    """What ranks a window by how good it is: each column, the right way round, and the shipped policy."""
    policy = Policy()

    def ranked(one: dict[str, float]) -> float:
        decision = decide(one, policy)
        return decision.p_good - (decision.band is Band.REJECT)

    columns = {name: partial(_pointing, name, trend) for name, trend in trends().items()}
    return {**columns, "P(good)": partial(probability, odds=policy), "policy": ranked}


def _pointing(name: str, trend: int, one: dict[str, float]) -> float:
    return trend * one.get(name, np.nan)


def _told(good: Values, bad: Values) -> str:
    low, high = interval_by_film(good, bad)
    return f"{auc(good, bad.ravel()):.3f} [{low:.3f}, {high:.3f}]"


def interval_by_film(good: Values, bad: Values, *, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the AUC of (films,) right and (faults, films) wrong cases by resampling films.

    What was made of one film hangs together, so it is drawn together: each case by itself would make it too narrow.
    """
    random = np.random.default_rng(seed)
    drawn = random.integers(len(good), size=(RESAMPLINGS, len(good)))
    low, high = np.quantile([auc(good[films], bad[:, films].ravel()) for films in drawn], (0.025, 0.975))
    return float(low), float(high)


def _accepted(name: str, found: Sequence[Case], measured: Sequence[dict[str, float]]) -> list[Goal]:
    """What the shipped policy lets through without a person."""
    by_kind = _by_kind(found, measured, lambda one: decide(one, Policy()).band is Band.ACCEPT)
    right = by_kind.pop("none")
    wrong = np.concatenate(list(by_kind.values()))
    shares = (("right", right), ("wrong", wrong))
    return [
        measurement(
            f"{name}: {what} windows that the shipped policy accepts", str(wilson(float(ones.sum()), len(ones)))
        )
        for what, ones in shares
    ]


def _goals(name: str, found: Sequence[Case], measured: Sequence[dict[str, float]]) -> list[Goal]:
    by_kind = _by_kind(found, measured, lambda one: one["p_in_sync"])
    value, wanted = auc(by_kind["none"], _far(by_kind).ravel()), 0.90 if "shaky" in name else 0.95
    told = [(case, one) for case, one in zip(found, measured, strict=True) if case.fault in (Fault.NONE, Fault.SHIFTED)]
    errors = np.array([abs(one["offset_s"] - case.offset_s) for case, one in told if abs(case.offset_s) < MAX_OFFSET_S])
    median, far = np.quantile(errors, (0.5, 0.95))
    return [
        Goal(f"{name}: AUC of p_in_sync at 0.3 s and more", f">= {wanted}", f"{value:.3f}", value >= wanted),
        Goal(f"{name}: offset error, median", "<= 42 ms", f"{1000 * median:.0f} ms", bool(median <= 1 / 24)),
        measurement(f"{name}: offset error, 95th percentile", f"{1000 * far:.0f} ms"),
    ]


def _cost_ms(found: Sequence[Case], name: str) -> float:
    """Of one score on one window, in batches as curation has them."""
    some = list(found[:COSTED])
    begun = time.perf_counter()
    columns_of_cases(some, (name,))
    return (time.perf_counter() - begun) / len(some) * 1000


def _calibration(learnt: Sequence[Clip], fresh: Sequence[Clip], seed: int) -> list[Goal]:
    """Fit on some films, and look at others of other seeds."""
    known = _examples(list(cases(learnt, seed=seed, narrate=True)))
    others = _examples(list(cases(fresh, seed=seed + 1, narrate=True)))
    good = np.array([one.good for one in others])
    goals = []
    for target in TARGETS:
        fit = calibrate(known, Odds(), trends=trends(), target_precision=target)
        accepted = np.array([probability(one.columns, fit.odds) for one in others]) >= fit.odds.accept_at
        seen = weighted_share(good[accepted], np.ones(int(accepted.sum())))
        recall = weighted_share(accepted[good], np.ones(int(good.sum())))
        met = abs(seen.value - target) <= 0.03
        goals += [
            Goal(f"calibrated precision on fresh seeds, at {target}", f"{target} within 0.03", str(seen), met),
            measurement(f"recall there, at {target}", str(recall)),
        ]
    return goals


def _examples(found: list[Case]) -> list[Example]:
    """Cases as calibration sees clips; what is silent or frozen no policy lets through, so it is left out."""
    measured = columns_of_cases(found, ("motion", "loudness", "sync"))
    return [
        Example(columns, case.fault is Fault.NONE, case.clip.name)
        for case, columns in zip(found, measured, strict=True)
        if case.fault not in (Fault.SILENT, Fault.FROZEN)
    ]


def _corrections(clips: Sequence[Clip], seed: int) -> list[Goal]:
    """Films whose sound is late throughout, and films whose sound is wrong: how many windows are lost, and mended."""
    policy, random = Policy(), np.random.default_rng(seed)
    lost, saved, errors, moved, fooled = 0, 0, list[float](), 0, 0
    for clip in clips:
        late_s = float(random.uniform(*LATE_S) * random.choice((-1, 1)))
        columns, offset_s = _judged(replace(clip.timeline, waveform=rolled(clip.timeline, late_s)), policy)
        for one in columns:
            mended = one if offset_s is None else corrected(one, offset_s, policy.correction)
            rejected, still = (decide(each, policy).reasons[:1] == (Outcome.OFFSET,) for each in (one, mended))
            lost, saved = lost + rejected, saved + (rejected and not still)
        errors += [] if offset_s is None else [abs(offset_s - late_s)]
        others = [one.timeline for one in clips if one.label != clip.label]
        foreign = fitted(clip.timeline, others[random.integers(len(others))])
        fooled += _judged(replace(clip.timeline, waveform=foreign), policy)[1] is not None
        moved += _judged(replace(clip.timeline, waveform=jittered(clip.timeline, random)), policy)[1] is not None
    share, wandering, foreign_share = saved / max(lost, 1), moved / len(clips), fooled / len(clips)
    error_ms = 1000 * float(np.median(errors)) if errors else float("nan")
    return [
        Goal("windows lost to their offset that correction saves", ">= 50 %", f"{share:.1%} of {lost}", share >= 0.5),
        Goal("error of the correction, median", "<= 42 ms", f"{error_ms:.0f} ms", error_ms <= 1000 / 24),
        Goal("films of wandering offset that were moved", "<= 5 %", f"{wandering:.1%}", wandering <= 0.05),
        Goal("films with another's sound that were moved", "<= 5 %", f"{foreign_share:.1%}", foreign_share <= 0.05),
    ]


def _judged(line: Timeline, policy: Policy) -> tuple[list[dict[str, float]], float | None]:
    """The columns of a whole video's windows, as curation would measure them, and its constant offset."""
    whole = (0, line.duration_us)
    proposals = propose([whole], window_us=WINDOW_US, stride_us=500_000, frame_us=line.frame_us, span_us=whole)
    spans = [(one.start_us, one.end_us) for one in proposals]
    columns = SyncScore().score([Window(line, *span) for span in spans])
    columns = [one | {"local_motion": 0.05, "peak_amplitude": 0.5} for one in columns]
    return columns, constant_offset_s(columns, spans, policy.correction)


def _by_kind(
    found: Sequence[Case], measured: Sequence[dict[str, float]], value: Callable[[dict[str, float]], float]
) -> dict[str, np.ndarray]:
    """(films,) values by kind of case; `cases` makes each kind once of each film, film after film."""
    values: dict[str, list[float]] = defaultdict(list)
    for case, columns in zip(found, measured, strict=True):
        values[case.kind].append(value(columns))
    return {kind: np.array(ones) for kind, ones in values.items()}


def _far(by_kind: dict[str, np.ndarray]) -> np.ndarray:
    """(faults, films) the cases whose sound is off by so much that it is plainly wrong."""
    return np.stack(
        [ones for kind, ones in by_kind.items() if kind.startswith("shifted") and float(kind.split()[1]) >= FAR_S]
    )


def _usable(name: str) -> bool:
    try:
        build([name])[0].check()
    except Unavailable:
        return False
    return True
