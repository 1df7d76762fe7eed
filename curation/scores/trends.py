"""What the columns of all scores are evidence of, and in which direction: what calibration may assume."""

from functools import cache
from importlib import import_module

from curation.scores.base import Evidence, Need, Score
from curation.scores.registry import SCORES


@cache
def trends() -> dict[str, int]:
    """+1 for columns of which more never makes a clip worse, -1 for those of which more never makes it better."""
    return {column: trend for made_by in _classes() for column, trend in made_by.trends.items()}


@cache
def columns_of(evidence: Evidence) -> frozenset[str]:
    """The columns that are evidence of this."""
    return frozenset(column for made_by in _classes() if made_by.evidence is evidence for column in made_by.columns)


@cache
def scores_of(need: Need) -> frozenset[str]:
    """The names of the scores that look at this."""
    return frozenset(made_by.name for made_by in _classes() if need in made_by.needs)


@cache
def versions(columns: frozenset[str]) -> dict[str, int]:
    """The scores that measure these columns, and the version that each has now."""
    return {made_by.name: made_by.version for made_by in _classes() if columns & set(made_by.columns)}


def _classes() -> list[type[Score]]:
    found: list[type[Score]] = []
    for path in SCORES.values():
        module, _, name = path.partition(":")
        found.append(getattr(import_module(module), name))
    return found
