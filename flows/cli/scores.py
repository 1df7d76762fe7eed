"""Scores as a person reads them on a terminal: the timing in words first, the columns behind it."""

from collections.abc import Mapping, Sequence
from typing import Any

from curation.review.where import COLUMNS, Where, where_of
from curation.review.words import lag, percent, place, span, synchrony

Row = Mapping[str, Any]

LEAD = ("file", "in sync", "timing", "heard at")
SAID = frozenset({"file", "p_in_sync", "offset_s", "offset_confidence", *COLUMNS})
"""Columns that the leading words say."""

MOST_LINES = 8


def score_table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Names and cells of the table of `clapboard score`; without the score `sync` there is nothing to lead with."""
    timed = any("p_in_sync" in row for row in rows)
    said = SAID if timed else frozenset({"file"})
    others = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in said]
    cells = [
        [str(row["file"]), *(_lead(row) if timed else []), *(_short(row.get(name, "")) for name in others)]
        for row in rows
    ]
    return [*(LEAD if timed else LEAD[:1]), *others], cells


def in_short(story: Row, scores: Mapping[str, Row]) -> list[str]:
    """What a story of `clapboard explain` says of the timing: a line a clip, or a window where no clip came of it.

    Args:
        story: as `curation.accounting.explain.explain` tells it.
        scores: those of its clips, by id.
    """
    clips = [one | {"scores": scores[one["id"]]} for one in story["clips"] if one["current"]]
    lines = [": ".join(filter(None, _facts(one))) for one in clips or story["windows"]]
    more = len(lines) - MOST_LINES
    return lines if more <= 0 else [*lines[:MOST_LINES], f"and {more} more"]


def _facts(one: Row) -> tuple[str | None, ...]:
    when = span(round(one["start_s"] * 1e6), round(one["end_s"] * 1e6))
    return when, one["band"], synchrony(one["scores"])


def _lead(row: Row) -> list[str]:
    if "p_in_sync" not in row:
        return [""] * (len(LEAD) - 1)
    where = where_of(row)
    sure = f"{lag(row['offset_s'])}, {percent(row['offset_confidence'])} sure" if row["offset_confidence"] > 0 else "-"
    return [percent(row["p_in_sync"]), sure, _place(where) if where else "-"]


def _place(where: Where) -> str:
    return f"{place(where.x, where.y, where.side)}{'' if where.sure else '?'}"


def _short(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
