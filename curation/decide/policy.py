"""What the scores of a window say about it: a probability of being good, a band, and reasons.

Two layers. Gates are the predecessor's hard filters: what fails one is rejected whatever else is true. What passes
gets P(good) from a monotone logistic over the score columns, and the band edges turn that into accept, review or
reject. Weights and edges are outputs of `clapboard calibrate`, fitted on people's verdicts; before there are any, of
the same fit on drawn films whose truth is known (`curation/decide/prior.json`, made by `clapboard bench prior`).
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from curation.decide.correction import CorrectionSettings
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


class Policy(BaseModel):
    """Gates, P(good), band edges and rules for classes; a model of the recipe and of Prefect's parameter form."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_peak: float = Field(0.03, ge=0, le=1, description="reject as silent below this peak amplitude [pred]")
    min_motion: float = Field(0.01, ge=0, le=1, description="reject as static below this motion [pred]")
    max_motion: float = Field(0.15, ge=0, le=1, description="reject as shaking above this motion [pred]")
    max_offset_s: float = Field(0.12, ge=0, description="sound may lead or lag this much (about 3 frames at 24 fps)")
    correction: CorrectionSettings = Field(default_factory=CorrectionSettings)
    min_image_text: float | None = Field(None, description="send to review below this CLIP cosine, if measured")
    min_audio_text: float | None = Field(None, description="send to review below this CLAP cosine, if measured")
    calibrated: bool = Field(True, description="take weights and edges of the last `clapboard calibrate`, if any")
    intercept: float = Field(_PRIOR["intercept"], description="log-odds of a good window, all columns at their centres")
    weights: dict[str, float] = Field(_PRIOR["weights"], description="log-odds per unit of a score column")
    centres: dict[str, float] = Field(
        _PRIOR["centres"], description="what weights count from; a column that was not measured counts as this"
    )
    accept_at: float = Field(_PRIOR["accept_at"], ge=0, le=1, description="accept from this P(good)")
    review_at: float = Field(
        _PRIOR["review_at"], ge=0, le=1, description="ask a reviewer from this P(good); below it reject"
    )
    wanted: Wanted = Field(Wanted.BOTH, description="what a clip must show, unless its class says otherwise")
    wanted_of: dict[str, Wanted] = Field(default={}, description="what clips of a class must show, by class")
    most_per_class: int = Field(0, ge=0, description="accept the best so many clips of a class; 0 accepts all")
    accept_all: bool = Field(False, description="accept whatever decodes and holds no cut: the uncurated baseline")

    @model_validator(mode="after")
    def _edges_in_order(self) -> "Policy":
        if self.review_at > self.accept_at:
            raise ValueError("review_at must not lie above accept_at")
        if self.min_motion > self.max_motion:
            raise ValueError("min_motion must not lie above max_motion")
        return self

    def digest(self) -> str:
        """A short name for just these settings; decisions carry it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    def wanted_of_class(self, label: str) -> Wanted:
        """What clips of that class must show."""
        return self.wanted_of.get(label, self.wanted)


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
    p_good = probability(columns, policy, wanted=wanted)
    if policy.accept_all:
        return Decision(Band.ACCEPT, (), p_good)
    if failed := _failed_gates(columns, policy):
        return Decision(Band.REJECT, failed, p_good)
    if wanted is not Wanted.MEANING and abs(columns.get("offset_s", 0.0)) > policy.max_offset_s:
        return Decision(Band.REJECT, (_why_offset(columns, policy, wanted),), p_good)
    if p_good < policy.review_at:
        return Decision(Band.REJECT, (_why_bad(wanted),), p_good)
    doubts = _doubts(columns, policy)
    if p_good < policy.accept_at:
        doubts = (Outcome.WEAK_SYNC if wanted is not Wanted.MEANING else Outcome.WEAK_MEANING, *doubts)
    band = Band.REVIEW if doubts else Band.ACCEPT
    return Decision(band, (*doubts, Outcome.OFFSET_CORRECTED) if offset_corrected else doubts, p_good)


def probability(columns: Mapping[str, float], policy: Policy, *, wanted: Wanted = Wanted.BOTH) -> float:
    """P(good) = sigmoid(intercept + sum of weight x (column - centre)), over the columns that were measured."""
    log_odds = policy.intercept
    ignored = _IGNORED[wanted]
    for name, weight in policy.weights.items():
        value = columns.get(name, math.nan)
        if value == value and name not in ignored:
            log_odds += weight * (value - policy.centres.get(name, 0.0))
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, log_odds))))


_IGNORED: dict[Wanted, frozenset[str]] = {
    Wanted.BOTH: frozenset(),
    Wanted.SYNCHRONY: columns_of(Evidence.MEANING),
    Wanted.MEANING: columns_of(Evidence.SYNCHRONY),
}


def _failed_gates(columns: Mapping[str, float], policy: Policy) -> tuple[Outcome, ...]:
    motion = columns.get("motion_mean", math.nan)
    failed = []
    if columns.get("peak_amplitude", math.nan) < policy.min_peak:
        failed.append(Outcome.SILENT)
    if motion < policy.min_motion:
        failed.append(Outcome.STATIC_PICTURE)
    if motion > policy.max_motion:
        failed.append(Outcome.TOO_MUCH_MOTION)
    return tuple(failed)


def _why_offset(columns: Mapping[str, float], policy: Policy, wanted: Wanted) -> Outcome:
    """A late sound is one that would be accepted if it were moved; otherwise nothing makes the two agree."""
    moved = {"sync_at_zero": columns.get("sync", math.nan), "p_in_sync": columns.get("sync_confidence", math.nan)}
    good = probability({**columns, **moved}, policy, wanted=wanted) >= policy.accept_at
    return Outcome.OFFSET if good else Outcome.UNSYNCHRONISED


def _why_bad(wanted: Wanted) -> Outcome:
    return Outcome.MISMATCH if wanted is Wanted.MEANING else Outcome.UNSYNCHRONISED


def _doubts(columns: Mapping[str, float], policy: Policy) -> tuple[Outcome, ...]:
    bounds = (("image_text_min", policy.min_image_text), ("audio_text_min", policy.min_audio_text))
    low = any(bound is not None and columns.get(name, math.nan) < bound for name, bound in bounds)
    return (Outcome.MISMATCH,) if low else ()
