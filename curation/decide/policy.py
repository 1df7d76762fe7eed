"""What the scores of a window say about it: a probability of being good, a band, and reasons.

Two layers. Gates are the predecessor's hard filters: what fails one is rejected whatever else is true. What passes
gets P(good) from a monotone logistic over the score columns, and the band edges turn that into accept, review or
reject. Weights and edges are outputs of `clapboard calibrate`, fitted on people's verdicts; before there are any, of
the same fit on filmed clips and their twins (`curation/decide/prior.json`, made by `clapboard bench prior`).
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from curation.decide.correction import CorrectionSettings
from curation.decide.odds import Odds, probability
from curation.outcomes import Outcome
from curation.scores.base import Evidence
from curation.scores.trends import columns_of

PRIOR = Path(__file__).with_name("prior.json")
_PRIOR: dict[str, Any] = json.loads(PRIOR.read_text(encoding="utf-8"))["policy"]


class Band(StrEnum):
    """Where a window or clip goes."""

    ACCEPT = "accept"
    REVIEW = "review"
    REJECT = "reject"


class Wanted(StrEnum):
    """What clips of a class must show. Sharp sounds need synchrony; in rain or traffic there is none to be found."""

    BOTH = "both"
    SYNCHRONY = "synchrony"
    MEANING = "meaning"


class Policy(Odds):
    """P(good), band edges, gates and rules for classes; a model of the recipe and of Prefect's parameter form."""

    intercept: float = Field(_PRIOR["intercept"], description="log-odds of a good window, all columns at their centres")
    weights: dict[str, float] = Field(_PRIOR["weights"], description="log-odds per unit of a score column")
    centres: dict[str, float] = Field(
        _PRIOR["centres"], description="what weights count from; a column that was not measured counts as this"
    )
    accept_at: float = Field(
        _PRIOR["accept_at"], ge=0, le=1, description="accept from this P(good); at 1 nothing unseen"
    )
    review_at: float = Field(
        _PRIOR["review_at"], ge=0, le=1, description="ask a reviewer from this P(good); below it reject"
    )
    meaning: Odds = Field(
        default_factory=Odds, description="P(good) and edges of classes of which only meaning is wanted"
    )
    calibrated: bool = Field(True, description="take weights and edges of the last `clapboard calibrate`, if any")
    min_peak: float = Field(0.03, ge=0, le=1, description="reject as silent below this peak amplitude [pred]")
    max_missing_sound_s: float = Field(0.5, ge=0, description="reject where the file has no sound for longer [ours]")
    max_frozen_s: float = Field(0.5, ge=0, description="reject where pictures stand longer for want of the next [ours]")
    max_smeared_s: float = Field(0.5, ge=0, description="reject where damaged pictures are shown longer [ours]")
    min_local_motion: float = Field(0.002, ge=0, le=1, description="reject as static where no region moves more")
    max_camera_motion: float = Field(0.8, ge=0, description="reject as shaking above this, in pictures a second")
    min_motion: float = Field(0.0, ge=0, le=1, description="reject as static below this mean motion; 0.01 [pred]")
    max_motion: float = Field(1.0, ge=0, le=1, description="reject as shaking above this mean motion; 0.15 [pred]")
    max_offset_s: float = Field(0.12, ge=0, description="sound may lead or lag this much (about 3 frames at 24 fps)")
    sure_at: float = Field(0.6, ge=0, le=1, description="from this `offset_confidence` a larger offset rejects")
    no_cues_at: float = Field(0.5, ge=0, le=1, description="from this `p_no_cues` a doubt is called `no_cues`")
    correction: CorrectionSettings = Field(default_factory=CorrectionSettings)
    min_image_text: float | None = Field(None, description="send to review below this CLIP cosine, if measured")
    min_audio_text: float | None = Field(None, description="send to review below this CLAP cosine, if measured")
    wanted: Wanted = Field(Wanted.BOTH, description="what a clip must show, unless its class says otherwise")
    wanted_of: dict[str, Wanted] = Field(default={}, description="what clips of a class must show, by class")
    most_per_class: int = Field(0, ge=0, description="accept the best so many clips of a class; 0 accepts all")
    accept_all: bool = Field(False, description="accept whatever decodes and holds no cut: the uncurated baseline")

    @model_validator(mode="after")
    def _motion_in_order(self) -> "Policy":
        if self.min_motion > self.max_motion:
            raise ValueError("min_motion must not lie above max_motion")
        return self

    def digest(self) -> str:
        """A short name for just these settings; decisions carry it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    def wanted_of_class(self, label: str) -> Wanted:
        """What clips of that class must show."""
        return self.wanted_of.get(label, self.wanted)

    def odds_of(self, wanted: Wanted) -> Odds:
        """Weights and edges for clips that must show this."""
        return self.meaning if wanted is Wanted.MEANING else self


@dataclass(frozen=True, slots=True)
class Decision:
    """A window's band, why, and how probable it is to be good."""

    band: Band
    reasons: tuple[Outcome, ...]
    p_good: float


def decide(
    columns: Mapping[str, float],
    policy: Policy,
    *,
    crosses_cut: bool = False,
    label: str = "",
    offset_corrected: bool = False,
) -> Decision:
    """Decide one window from its score columns; columns that were not measured neither help nor hurt.

    Args:
        columns: what was measured, after a correction if there is one.
        policy: the rules.
        crosses_cut: whether a shot ends inside.
        label: its class, which may have rules of its own.
        offset_corrected: whether its sound will be moved at the cut; noted as a reason.
    """
    if crosses_cut:
        return Decision(Band.REJECT, (Outcome.SHOT_CHANGE,), 0.0)
    wanted = policy.wanted_of_class(label)
    odds = policy.odds_of(wanted)
    p_good = probability(columns, odds, ignored=IGNORED[wanted])
    if policy.accept_all:
        return Decision(Band.ACCEPT, (), p_good)
    if failed := _failed_gates(columns, policy):
        return Decision(Band.REJECT, failed, p_good)
    if wanted is not Wanted.MEANING and _lies_elsewhere(columns, policy):
        return Decision(Band.REJECT, (Outcome.OFFSET,), p_good)
    known = wanted is not Wanted.MEANING or _tells_meaning(columns, odds)
    if known and p_good < odds.review_at:
        return Decision(Band.REJECT, (_why_bad(wanted),), p_good)
    doubts = _doubts(columns, policy)
    if not known or p_good < odds.accept_at:
        doubts = (_why_doubtful(columns, policy, wanted), *doubts)
    band = Band.REVIEW if doubts else Band.ACCEPT
    return Decision(band, (*doubts, Outcome.OFFSET_CORRECTED) if offset_corrected else doubts, p_good)


IGNORED: dict[Wanted, frozenset[str]] = {
    Wanted.BOTH: frozenset(),
    Wanted.SYNCHRONY: columns_of(Evidence.MEANING),
    Wanted.MEANING: columns_of(Evidence.SYNCHRONY),
}
"""Columns that do not count for clips that must show this."""

_MEANING = columns_of(Evidence.MEANING)


def _tells_meaning(columns: Mapping[str, float], odds: Odds) -> bool:
    """Whether anything was measured of what is known to tell meaning; else neither yes nor no has a ground."""
    return any(odds.weights.get(name) and not math.isnan(columns.get(name, math.nan)) for name in _MEANING)


def _failed_gates(columns: Mapping[str, float], policy: Policy) -> tuple[Outcome, ...]:
    peak, motion, local, camera = (
        columns.get(name, math.nan) for name in ("peak_amplitude", "motion_mean", "local_motion", "camera_motion")
    )
    unheard, frozen, smeared = (columns.get(name, 0.0) for name in ("missing_sound_s", "frozen_s", "smeared_s"))
    failed = []
    if peak < policy.min_peak:
        failed.append(Outcome.SILENT)
    if unheard > policy.max_missing_sound_s:
        failed.append(Outcome.SOUND_MISSING)
    if frozen > policy.max_frozen_s or smeared > policy.max_smeared_s:
        failed.append(Outcome.PICTURE_MISSING)
    if motion < policy.min_motion or local < policy.min_local_motion:
        failed.append(Outcome.STATIC_PICTURE)
    if motion > policy.max_motion or camera > policy.max_camera_motion:
        failed.append(Outcome.TOO_MUCH_MOTION)
    return tuple(failed)


def _lies_elsewhere(columns: Mapping[str, float], policy: Policy) -> bool:
    """Whether it is sure that the sound lies at another offset; that an offset is the likeliest says little."""
    far = abs(columns.get("offset_s", 0.0)) > policy.max_offset_s
    return far and columns.get("offset_confidence", 0.0) >= policy.sure_at


def _why_doubtful(columns: Mapping[str, float], policy: Policy, wanted: Wanted) -> Outcome:
    if wanted is Wanted.MEANING:
        return Outcome.WEAK_MEANING
    return Outcome.NO_CUES if columns.get("p_no_cues", 0.0) >= policy.no_cues_at else Outcome.WEAK_SYNC


def _why_bad(wanted: Wanted) -> Outcome:
    return Outcome.MISMATCH if wanted is Wanted.MEANING else Outcome.UNSYNCHRONISED


def _doubts(columns: Mapping[str, float], policy: Policy) -> tuple[Outcome, ...]:
    bounds = (("image_text_min", policy.min_image_text), ("audio_text_min", policy.min_audio_text))
    low = any(bound is not None and columns.get(name, math.nan) < bound for name, bound in bounds)
    return (Outcome.MISMATCH,) if low else ()
