"""Read any mix of sources: tables, folders, media files, links. A new kind is a new file and a line in READERS."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from curation.outcomes import Outcome
from curation.sources.base import Read, RowFault, SourceRow, is_web
from curation.sources.folder import read_file, read_folder
from curation.sources.table import read_csv, read_jsonl
from shards.errors import BadInput

READERS: dict[str, Callable[[Path], Read]] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """All usable rows, each video span once, and every fault."""

    rows: list[SourceRow]
    faults: list[RowFault]


def read_sources(sources: Sequence[str | Path]) -> Reading:
    """Read all sources into memory; see `iter_sources`."""
    rows: list[SourceRow] = []
    faults: list[RowFault] = []
    for one in iter_sources(sources):
        if isinstance(one, RowFault):
            faults.append(one)
        else:
            rows.append(one)
    return Reading(rows, faults)


def iter_sources(sources: Sequence[str | Path]) -> Read:
    """Read all sources in order, row by row; the first row of a span wins, later ones are faults.

    A source that is not there stops everything even when others are: it is a slip of the hand, best mended before an
    hour of fetching.

    Raises:
        BadInput: none is given, or one does not exist or cannot be read.
    """
    if not sources:
        raise BadInput("there is no source to curate", remedy="name a CSV or JSONL table, a folder, a file or a link")
    # Lists have millions of rows, so of each only two numbers are kept: what it is, and where it stood.
    seen: dict[int, int] = {}
    tables: list[str] = []
    for position, source in enumerate(sources, start=1):
        for one in _read(source, position):
            if isinstance(one, RowFault):
                yield one
                continue
            if not tables or tables[-1] != one.table:
                tables.append(one.table)
            key, here = hash((one.source_id, one.start_us, one.end_us)), len(tables) - 1 + (one.row << 24)
            first = seen.setdefault(key, here)
            if first == here:
                yield one
            else:
                detail = f"the same as {tables[first & 0xFFFFFF]}:{first >> 24}"
                yield RowFault(one.table, one.row, Outcome.DUPLICATE_ROW, detail)


def _read(source: str | Path, position: int) -> Read:
    if isinstance(source, str) and "://" in source:
        yield _link_row(source.strip(), position)
        return
    path = Path(source)
    if not path.exists():
        raise BadInput(
            f"there is no file or folder {source}", remedy="check the path; links begin with http:// or https://"
        )
    try:
        yield from read_folder(path) if path.is_dir() else READERS.get(path.suffix.lower(), read_file)(path)
    except OSError as error:
        raise BadInput(f"{source} cannot be read: {error.strerror}", remedy="check its permissions") from error


def _link_row(link: str, position: int) -> SourceRow | RowFault:
    if not is_web(link):
        return RowFault("links", position, Outcome.BAD_LINK, f"{link} is not http or https")
    return SourceRow(
        link=link,
        path=None,
        start_us=None,
        end_us=None,
        caption="",
        label="",
        licence="",
        table="links",
        row=position,
    )
