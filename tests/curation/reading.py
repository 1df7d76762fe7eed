"""All that sources hold, in memory; a helper of the tests of reading."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curation.sources.base import RowFault, SourceRow
from curation.sources.read import iter_sources
from curation.sources.settings import SourceSettings


@dataclass(frozen=True, slots=True)
class Reading:
    """All usable rows, each video span once, and every fault."""

    rows: list[SourceRow]
    faults: list[RowFault]


def read_sources(sources: Sequence[str | Path], *, settings: SourceSettings | None = None) -> Reading:
    """Read all sources; see `iter_sources`."""
    read = list(iter_sources(sources, settings=settings))
    return Reading(
        [one for one in read if isinstance(one, SourceRow)], [one for one in read if isinstance(one, RowFault)]
    )
