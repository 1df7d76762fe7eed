"""What standing out says for a lag, fitted on filmed clips and their twins: `curation/scores/synchrony/film.json`."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from bench.natural.measure import Job, with_sound_of
from bench.natural.twins import SHIFTS_S, SWAPPED, made
from curation.media.analyse import analyse
from curation.media.failures import MediaFailure
from curation.media.shots import find_shots
from curation.media.timeline import Timeline, Window
from curation.scores.sync import agreement_of, part_of_take
from curation.scores.synchrony.lags import standing_out
from curation.scores.synchrony.posterior import Likelihood, offsets

START = Likelihood(slope=1.0, bend=0.1, none=0.5)
TOLD_S = 0.5
"""Twins of larger shifts lie at the end of what is looked at, and tell little."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What stands out at each lag of one file, and how late its sound is; None if it is another's."""

    lags_s: NDArray[np.float64]
    z: NDArray[np.float64]
    late_s: float | None


def curves(jobs: Sequence[Job], *, workers: int) -> list[Curve]:
    """One of each right clip, of its moved and of its swapped twins; what cannot be measured is left out."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return [one for found in pool.map(_of_job, jobs) for one in found]


def fitted(found: Sequence[Curve]) -> Likelihood:
    """The likelihood under which the truth is most probable: right, moved and swapped files count a third each."""
    from scipy.optimize import minimize

    kinds = [2 if one.late_s is None else int(one.late_s != 0) for one in found]
    weight = np.array([1 / kinds.count(kind) for kind in kinds])

    def loss(parameters: NDArray[np.float64]) -> float:
        likelihood = Likelihood(*parameters)
        told = np.array([_of_truth(one, likelihood) for one in found])
        return float(-(weight * np.log(np.maximum(told, 1e-9))).sum() / weight.sum())

    best = minimize(loss, [START.slope, START.bend, START.none], method="Nelder-Mead").x
    return Likelihood(*(round(float(one), 4) for one in best))


def _of_truth(one: Curve, likelihood: Likelihood) -> float:
    posterior = offsets(one.lags_s, one.z, likelihood)
    return posterior.none if one.late_s is None else posterior.near(one.late_s)


def _of_job(job: Job) -> list[Curve]:
    try:
        line = analyse(job.clip.path, thumbnails=False)
    except MediaFailure:
        return []
    found: list[tuple[Timeline, float | None]] = [(line, 0.0)]
    for twin in job.twins:
        if twin.kind == SWAPPED or 0 < abs(SHIFTS_S.get(twin.kind, 0.0)) <= TOLD_S:
            late_s = None if twin.kind == SWAPPED else twin.late_s
            found.append((with_sound_of(line, made(twin, job.folder)), late_s))
    return [curve for one, late_s in found if (curve := _curve(one, late_s)) is not None]


def _curve(line: Timeline, late_s: float | None) -> Curve | None:
    start_us, end_us = max(find_shots(line), key=lambda shot: shot[1] - shot[0])
    window = Window(line, start_us, end_us, take_us=(start_us, end_us))
    found = agreement_of(line, *part_of_take(window))
    return None if found is None else Curve(found.lags_s, standing_out(found), late_s)
