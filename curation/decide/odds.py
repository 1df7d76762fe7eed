"""P(good): a monotone logistic over score columns, and the edges of the bands that it is cut into."""

import math
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, model_validator

CERTAIN = 30.0
"""Log-odds end here, so that no P(good) is 1: an edge of 1 accepts nothing."""


class Odds(BaseModel):
    """What makes a window good, and how sure one must be of it; as it stands here, everything goes to a person."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    intercept: float = Field(0.0, description="log-odds of a good window, all columns at their centres")
    weights: dict[str, float] = Field(default={}, description="log-odds per unit of a score column")
    centres: dict[str, float] = Field(
        default={}, description="what weights count from; a column that was not measured counts as this"
    )
    accept_at: float = Field(1.0, ge=0, le=1, description="accept from this P(good); at 1 nothing unseen")
    review_at: float = Field(0.0, ge=0, le=1, description="ask a reviewer from this P(good); below it reject")

    @model_validator(mode="after")
    def _edges_in_order(self) -> "Odds":
        if self.review_at > self.accept_at:
            raise ValueError("review_at must not lie above accept_at")
        return self


def probability(columns: Mapping[str, float], odds: Odds, *, ignored: frozenset[str] = frozenset()) -> float:
    """P(good) = sigmoid(intercept + sum of weight x (column - centre)), over the columns that were measured."""
    log_odds = odds.intercept
    for name, weight in odds.weights.items():
        value = columns.get(name, math.nan)
        if value == value and name not in ignored:
            log_odds += weight * (value - odds.centres.get(name, 0.0))
    return 1 / (1 + math.exp(-max(-CERTAIN, min(CERTAIN, log_odds))))
