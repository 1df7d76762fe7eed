"""What the scores of a window say about it: a probability of being good, a band, and reasons.

Two layers. Gates are the predecessor's hard filters: what fails one is rejected whatever else is true. What passes
gets P(good) from a logistic prior over the synchrony scores, and the band edges turn that into accept, review or
reject. The prior stands in for a calibration on human verdicts; its weights are settings of the recipe, not
constants of this file.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, model_validator

from curation.outcomes import Outcome


class Band(StrEnum):
    """Where a window or clip goes."""

    ACCEPT = "accept"
    REVIEW = "review"
    REJECT = "reject"


class Policy(BaseModel):
    """Gates, prior and band edges; a model of the recipe and of Prefect's parameter form."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_peak: float = Field(0.03, ge=0, le=1, description="reject as silent below this peak amplitude [pred]")
    min_motion: float = Field(0.01, ge=0, le=1, description="reject as static below this motion [pred]")
    max_motion: float = Field(0.15, ge=0, le=1, description="reject as shaking above this motion [pred]")
    max_offset_s: float = Field(0.12, ge=0, description="sound may lead or lag this much (about 3 frames at 24 fps)")
    min_image_text: float | None = Field(None, description="send to review below this CLIP cosine, if measured")
    min_audio_text: float | None = Field(None, description="send to review below this CLAP cosine, if measured")
    intercept: float = Field(-7.0, description="prior: log-odds of a good window when every column below is 0")
    weights: dict[str, float] = Field(
        default={"sync_at_zero": 10.0, "sync_confidence": 1.0}, description="prior: log-odds per unit of a score column"
    )
    accept_at: float = Field(0.9, ge=0, le=1, description="accept from this P(good)")
    review_at: float = Field(0.1, ge=0, le=1, description="ask a reviewer from this P(good); below it reject")
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


@dataclass(frozen=True, slots=True)
class Decision:
    """A window's band, why, and how probable it is to be good."""

    band: Band
    reasons: tuple[Outcome, ...]
    p_good: float


def decide(columns: Mapping[str, float], policy: Policy, *, crosses_cut: bool = False) -> Decision:
    """Decide one window from its score columns; columns that were not measured neither help nor hurt."""
    if crosses_cut:
        return Decision(Band.REJECT, (Outcome.SHOT_CHANGE,), 0.0)
    p_good = probability(columns, policy)
    if policy.accept_all:
        return Decision(Band.ACCEPT, (), p_good)
    if failed := _failed_gates(columns, policy):
        return Decision(Band.REJECT, failed, p_good)
    if abs(columns.get("offset_s", 0.0)) > policy.max_offset_s:
        return Decision(Band.REJECT, (_why_offset(columns, policy),), p_good)
    if p_good < policy.review_at:
        return Decision(Band.REJECT, (Outcome.UNSYNCHRONISED,), p_good)
    doubts = _doubts(columns, policy)
    if p_good < policy.accept_at:
        doubts = (Outcome.WEAK_SYNC, *doubts)
    return Decision(Band.REVIEW if doubts else Band.ACCEPT, doubts, p_good)


def probability(columns: Mapping[str, float], policy: Policy) -> float:
    """P(good) = sigmoid(intercept + sum of weight x column), over the columns that were measured."""
    log_odds = policy.intercept
    for name, weight in policy.weights.items():
        value = columns.get(name, math.nan)
        log_odds += 0.0 if math.isnan(value) else weight * value
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, log_odds))))


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


def _why_offset(columns: Mapping[str, float], policy: Policy) -> Outcome:
    """A late sound is one that would be accepted if it were moved; otherwise nothing makes the two agree."""
    moved = probability({**columns, "sync_at_zero": columns.get("sync", math.nan)}, policy)
    return Outcome.OFFSET if moved >= policy.accept_at else Outcome.UNSYNCHRONISED


def _doubts(columns: Mapping[str, float], policy: Policy) -> tuple[Outcome, ...]:
    bounds = (("image_text_min", policy.min_image_text), ("audio_text_min", policy.min_audio_text))
    low = any(bound is not None and columns.get(name, math.nan) < bound for name, bound in bounds)
    return (Outcome.MISMATCH,) if low else ()
