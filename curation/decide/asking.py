"""What a person's answer is worth: clips whose answer would teach most, or fill what is missing, come first.

For a calibration the value is the entropy of what the policy believes, raised for classes that lack clips, and for
clips whose scores contradict each other, of which one has to be wrong. For a curated set it is what the policy believes
[ours; docs/study.md says what either order finds].
"""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

DEFICIT_WEIGHT = 0.5
DISAGREEMENT_WEIGHT = 0.5

OPINIONS = ("p_in_sync", "synchformer_p_in_sync", "agreement")
"""Columns that each say, from 0 to 1, that a clip is good, for reasons of their own."""


class Order(StrEnum):
    """Which clips reviewers get first."""

    LEARN = "learn"
    """Those whose answer teaches most: for a calibration."""

    COLLECT = "collect"
    """Those that are likeliest good: for a curated set."""


def value_of_answer(
    p_good: float,
    *,
    deficit: float = 0.0,
    columns: Mapping[str, float] | None = None,
    order: Order = Order.LEARN,
) -> float:
    """How much a person's minute on a clip is worth, from 0 up.

    Args:
        p_good: what the policy believes.
        deficit: how much of its class's target is missing, from 0 (none) to 1 (all).
        columns: its scores, among which opinions are looked for.
        order: what the answer is for.
    """
    return float(combined(*worth_of_answer(p_good, columns or {}, order=order), deficit))


def worth_of_answer(p_good: float, columns: Mapping[str, float], *, order: Order) -> tuple[float, float]:
    """The parts of the value: what a class's lack raises, and what it does not.

    Whoever learns asks what nobody knows; whoever collects asks what is likely good, and has no use for contradictions.
    """
    if order is Order.COLLECT:
        return p_good, 0.0
    return entropy(p_good), disagreement(columns)


def combined(uncertainty: Any, contradiction: Any, deficit: float) -> Any:
    """The value from its parts; numbers, or columns of a table."""
    return uncertainty * (1 + DEFICIT_WEIGHT * deficit) + contradiction * DISAGREEMENT_WEIGHT


def entropy(probability: float) -> float:
    """In bits: 1 where nothing is known, 0 where all is."""
    if not 0 < probability < 1:
        return 0.0
    return -probability * math.log2(probability) - (1 - probability) * math.log2(1 - probability)


def disagreement(columns: Mapping[str, float]) -> float:
    """The distance of the highest and the lowest opinion, from 0 to 1; 0 of fewer than two."""
    told = [value for name in OPINIONS if (value := columns.get(name, math.nan)) == value]
    return max(told) - min(told) if len(told) > 1 else 0.0
