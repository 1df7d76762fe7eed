"""What runs are called in Prefect's UI: what they do, to what, on which day; nothing of a link that opens a door."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePath

LONGEST = 40
"""Letters of a source's name; the UI shows some more."""

_LINK = re.compile(r"^(?:\w+:)?[a-z0-9+.-]+://([^/?#]*)", re.IGNORECASE)


def dated(*words: str) -> str:
    """Words and today's date: `curate vggsound 2026-11-28`."""
    return " ".join([*filter(None, words), f"{datetime.now(UTC):%Y-%m-%d}"])


def named_sources(sources: Sequence[str]) -> str:
    """The sources of a run in a word or two: the only one's name, how many there are, or that none is named."""
    if not sources:
        return "standing sources"
    return named_source(sources[0]) if len(sources) == 1 else f"{len(sources)} sources"


def named_source(source: str) -> str:
    """A source in a word: of a link its host, of a path its last part, anything else as it is, shortened.

    A link's host alone, since paths and queries may hold keys.
    """
    if link := _LINK.match(source):
        return link[1].rpartition("@")[2][:LONGEST] or "a link"
    path = PurePath(source)
    return ((path.stem if path.suffix else path.name) or source)[:LONGEST]
