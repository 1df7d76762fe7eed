"""Do sound and motion happen together, and if not, how far apart are they? A signal score without weights [ours].

How much the sound changes and how much the picture moves (`curation.scores.curves`) are correlated at every lag within
a second. Events at irregular times agree at one lag only, so the best lag is the offset, and the softmax of the
correlations is a posterior over offsets. Regular beats agree at many lags, and steady sound at none: both spread the
posterior, as they should.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from curation.media.timeline import Window
from curation.scores.base import Columns, Evidence, Need
from curation.scores.curves import CLOCK_HZ, Curve, motion_and_sound

MAX_LAG_S = 1.0
NEAR_ZERO_S = 0.06
TEMPERATURE = 0.06
CUE_PROMINENCE = 1.0
NOTHING = 1e-20
PART_S, PART_HOP_S, WORST_SHARE = 1.5, 0.25, 0.4
"""Parts of a window, and the share of the worst of them that is averaged (as JavisScore does with frames)."""

RECOGNISED_S = 0.15
"""Further off than this a curve must look unlike itself for an offset to be told."""


class SyncScore:
    """Cross-correlation of the sound's changes and motion over +-1 s.

    `sync`: correlation at the best lag. `sync_at_zero`: best correlation within 60 ms of no offset. `p_in_sync`:
    posterior mass there. `offset_s`: the best lag, positive when the sound is late. `sync_confidence`: posterior mass
    within 60 ms of the best lag. `sync_worst`: mean agreement at that lag over the worst 40 % of 1.5 s parts.
    `synchronisability`: 1 less how alike motion, or sound, is to itself more than 0.15 s away; 0 without cues, low for
    regular beats. `cues`: onsets a second that stand out.
    """

    name = "sync"
    version = 3
    settings = ""
    needs = frozenset({Need.CURVES, Need.WAVEFORM})
    columns = (
        "sync", "sync_at_zero", "p_in_sync", "offset_s", "sync_confidence", "sync_worst", "synchronisability", "cues",
    )  # fmt: skip
    evidence = Evidence.SYNCHRONY
    trends: ClassVar[Mapping[str, int]] = {"sync_at_zero": 1, "p_in_sync": 1, "sync_worst": 1, "synchronisability": 1}

    def check(self) -> None:
        """Always available."""

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window."""
        return [measured(*motion_and_sound(window)) for window in batch]


def measured(motion: Curve, changes: Curve) -> Columns:
    """The columns of `SyncScore` from two (ticks,) curves on the 100 Hz clock."""
    lags_s, values = correlations(motion, changes)
    if not len(values) or values.max() <= 0:
        return dict.fromkeys(SyncScore.columns, 0.0) | {"cues": cues(changes)}
    best = int(values.argmax())
    posterior = np.exp((values - values[best]) / TEMPERATURE)
    posterior /= posterior.sum()
    near_zero = np.abs(lags_s) <= NEAR_ZERO_S
    return {
        "sync": float(values[best]),
        "sync_at_zero": float(max(values[near_zero].max(), 0)),
        "p_in_sync": float(posterior[near_zero].sum()),
        "offset_s": _refine(lags_s, values, best),
        "sync_confidence": float(posterior[np.abs(lags_s - lags_s[best]) <= NEAR_ZERO_S].sum()),
        "sync_worst": worst_part(*_overlap(motion, changes, round(float(lags_s[best]) * CLOCK_HZ))),
        "synchronisability": min(unlike_itself(motion), unlike_itself(changes)),
        "cues": cues(changes),
    }


def correlations(motion: Curve, onsets: Curve) -> tuple[Curve, Curve]:
    """Pearson correlation of motion(t) and onsets(t + lag) for every lag within a second: (lags_s, values).

    Each lag's is that of what the two curves have in common, at least half of them; where nothing varies it is 0.
    """
    ticks = len(motion)
    if not ticks:
        return np.zeros(0), np.zeros(0)
    reach = min(round(MAX_LAG_S * CLOCK_HZ), ticks // 2)
    lags = np.arange(-reach, reach + 1)
    common = ticks - np.abs(lags)
    # The overlap of lag >= 0 is motion[: ticks - lag] with onsets[lag:], of lag < 0 the other way round.
    products = np.correlate(onsets, motion, mode="full")[ticks - 1 - reach : ticks + reach]
    seen, seen_squares = _sums(motion, -lags), _sums(motion**2, -lags)
    heard, heard_squares = _sums(onsets, lags), _sums(onsets**2, lags)
    together = products - seen * heard / common
    spread = (seen_squares - seen**2 / common) * (heard_squares - heard**2 / common)
    values = np.divide(together, np.sqrt(np.maximum(spread, 0)), out=np.zeros(len(lags)), where=spread > NOTHING)
    return lags / CLOCK_HZ, np.clip(values, -1, 1)


def worst_part(motion: Curve, changes: Curve) -> float:
    """Mean agreement within 60 ms over the worst 40 % of the parts: a stretch of foreign sound shows here."""
    size, hop = min(round(PART_S * CLOCK_HZ), len(motion)), round(PART_HOP_S * CLOCK_HZ)
    reach = round(NEAR_ZERO_S * CLOCK_HZ)
    found = []
    for first in range(0, len(motion) - size + 1, hop):
        _, values = correlations(motion[first : first + size], changes[first : first + size])
        found.append(values[len(values) // 2 - reach : len(values) // 2 + reach + 1].max(initial=0))
    return float(np.mean(sorted(found)[: max(1, round(WORST_SHARE * len(found)))]))


def unlike_itself(curve: Curve) -> float:
    """1 less the largest correlation of a curve with itself further off than `RECOGNISED_S`; 0 if nothing varies."""
    lags_s, values = correlations(curve, curve)
    if not len(values) or values.max() <= 0:
        return 0.0
    return 1 - max(0.0, float(values[np.abs(lags_s) >= RECOGNISED_S].max(initial=0)))


def cues(changes: Curve) -> float:
    """Onsets a second that rise clearly above the rest."""
    from scipy.signal import find_peaks

    if not len(changes):
        return 0.0
    peaks, _ = find_peaks(changes, prominence=max(CUE_PROMINENCE * float(changes.std()), 1e-3))
    return len(peaks) * CLOCK_HZ / max(len(changes), 1)


def _overlap(motion: Curve, changes: Curve, lag: int) -> tuple[Curve, Curve]:
    """What the two curves have in common when the sound is `lag` ticks late."""
    if lag >= 0:
        return motion[: len(motion) - lag], changes[lag:]
    return motion[-lag:], changes[:lag]


def _sums(curve: Curve, lags: NDArray[np.int64]) -> Curve:
    """The sum of curve[lag:] for each lag >= 0, and of curve[:lag] for those below."""
    running = np.concatenate([[0.0], np.cumsum(curve)])
    return np.asarray(np.where(lags >= 0, running[-1] - running[np.maximum(lags, 0)], running[np.minimum(lags, 0) - 1]))


def _refine(lags_s: Curve, values: Curve, best: int) -> float:
    """The vertex of the parabola through the best lag and its neighbours."""
    if not 0 < best < len(values) - 1:
        return float(lags_s[best])
    before, here, after = values[best - 1 : best + 2]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(lags_s[best] + shift / CLOCK_HZ)
