"""Where a clip was heard: the region of the picture that moves with the sound, as the score `sync` found it.

Some region always agrees best, so none is told where it is likelier that nothing tells the timing, and one is told as a
guess where a timing is not likelier than all else together: of 34 filmed clips with a sure one about half had
it at what sounds, of the others a quarter [ours].
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

COLUMNS = ("where_x", "where_y", "where_side")
SURE_FROM = 0.5
"""The probability of a timing that is likelier than all else together."""

_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Where:
    """A region of the upright picture: `x` and `y` of its left upper corner and its `side`, in shares of width and
    height; `sure` unless it is a guess."""

    x: float
    y: float
    side: float
    sure: bool = True


def where_of(scores: Mapping[str, float | None]) -> Where | None:
    """The region that a clip was heard at; None where none was measured, or no timing stands behind it."""
    x, y, side = (_number(scores.get(name)) for name in COLUMNS)
    timing = max(_number(scores.get("p_in_sync"), 0.0), _number(scores.get("offset_confidence"), 0.0))
    # Comparisons with NaN are false, so what was not measured ends here as well.
    inside = side > 0 and all(at >= 0 and at + side <= 1 + _TOLERANCE for at in (x, y))
    told = inside and timing > _number(scores.get("p_no_cues"), 0.0)
    return Where(x, y, side, sure=timing >= SURE_FROM) if told else None


def _number(value: object, otherwise: float = math.nan) -> float:
    """A score as a number; what the ledger holds is JSON, and may be null or anything else."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if fits else otherwise  # type: ignore[arg-type]
