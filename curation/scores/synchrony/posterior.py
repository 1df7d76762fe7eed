"""How probable each offset of the sound is, or that none can be told, given how much stands out at each lag [ours].

Beforehand it is taken as equally likely that a sound is in place, that it lies elsewhere within a second, and that no
offset fits: foreign sound, or nothing to tell by. What stands out at a lag by z standard deviations then speaks for
that lag by `slope` z, and by `bend` (z - 1)^2 more where z is above 1: what stands out far is rarely chance. The three
numbers are fitted on filmed clips and their twins (`clapboard bench prior`), so that the posterior says what happens.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAX_OFFSET_S = 1.0
IN_SYNC_S = 0.06
FILM = Path(__file__).with_name("film.json")
_TOLERANCE_S = 1e-6


@dataclass(frozen=True, slots=True)
class Likelihood:
    """What standing out by z says for a lag, in log-odds; `none` is what is said for no offset at all."""

    slope: float
    bend: float
    none: float

    def of_lags(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """(lags,) log-likelihoods of (lags,) z."""
        return self.slope * z + self.bend * np.maximum(z - 1, 0) ** 2


@dataclass(frozen=True, slots=True)
class Offsets:
    """The posterior: `probability` (lags,) of each offset up to a second either way, and `none` of no offset."""

    lags_s: NDArray[np.float64]
    probability: NDArray[np.float64]
    none: float

    def near(self, offset_s: float) -> float:
        """The probability of an offset within 60 ms of this."""
        return float(self.probability[_near(self.lags_s, offset_s)].sum())

    def likeliest_s(self) -> float:
        """The lag that has most probability within 60 ms, at its own best lag there."""
        mass = np.array([self.near(lag) for lag in self.lags_s])
        around = _near(self.lags_s, float(self.lags_s[mass.argmax()]))
        return float(self.lags_s[around][self.probability[around].argmax()])


def offsets(lags_s: NDArray[np.float64], z: NDArray[np.float64], likelihood: Likelihood | None = None) -> Offsets:
    """The posterior over offsets from (lags,) z; lags beyond a second only helped to make z."""
    likelihood = likelihood or on_film()
    told = np.abs(lags_s) <= MAX_OFFSET_S + _TOLERANCE_S
    lags_s, z = lags_s[told], z[told]
    in_place = _near(lags_s, 0.0)
    prior = np.where(in_place, 1 / in_place.sum(), 1 / max(int((~in_place).sum()), 1))
    logs = np.append(np.log(prior) + likelihood.of_lags(z), likelihood.none)
    shares = np.exp(logs - logs.max())
    shares /= shares.sum()
    return Offsets(lags_s, shares[:-1], float(shares[-1]))


@cache
def on_film() -> Likelihood:
    """The likelihood that was fitted on filmed clips."""
    return Likelihood(**json.loads(FILM.read_text(encoding="utf-8"))["likelihood"])


def _near(lags_s: NDArray[np.float64], offset_s: float) -> NDArray[np.bool_]:
    return np.abs(lags_s - offset_s) <= IN_SYNC_S + _TOLERANCE_S
