"""Tables of links or paths: delimited text with a header, or JSON lines.

Columns: `url` (or `link`) or `path` (or `file`); optional `start` and `end` in seconds or [h:]mm:ss, `caption`,
`label` (or `class`), `licence`, `split`. Others are passed over; other names are told in `sources.columns`.
"""

import csv
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from curation.outcomes import Outcome
from curation.sources.base import Read, RowFault, SourceRow, surrogates_escaped
from curation.sources.cells import by_column
from curation.sources.records import BadRecord, Cells, Record, records
from curation.sources.rows import columns_of, has_undecoded, row_of
from curation.sources.settings import SourceSettings
from curation.sources.suffixes import SUFFIXES
from curation.sources.text import MARK, is_too_long, lines_of, open_text

Names = Mapping[str, tuple[str, ...]]

DELIMITERS = ",;\t|"

HEAD_CHARACTERS = 4096

MAX_JSON = 64 << 20
"""Most characters of one array [ours]; JSON lines may be of any length."""

_SPREADSHEET = re.compile(r'"?sep=(.)"?\s*', re.I)
"""A first line by which spreadsheets tell each other the delimiter."""


@dataclass(frozen=True, slots=True)
class Header:
    """How a table begins: its delimiter, its columns in lower case, and whether a first line names the delimiter."""

    delimiter: str
    columns: Cells
    announced: bool = False

    def leads(self, names: Names) -> bool:
        """Whether it has a column of links or of paths."""
        return bool({*names["link"], *names["path"]} & set(self.columns))


def read_csv(file: Path, settings: SourceSettings) -> Read:
    """Rows of a table; commas, semicolons, tabs or bars, whichever its header makes most sense with."""
    names = columns_of(settings.columns)
    with open_text(file) as text:
        header = header_of(lines_of(text), names)
    if not header.leads(names):
        said = "".join(header.columns)
        # UTF-16 without a mark is UTF-8 with a NUL behind every letter.
        outcome = Outcome.BAD_ENCODING if has_undecoded(said) or "\0" in said else Outcome.MISSING_COLUMN
        yield RowFault(
            str(file), 0, outcome, surrogates_escaped(f"its columns are: {', '.join(header.columns) or 'none'}")[:500]
        )
        return
    with open_text(file) as text:
        yield from _csv_rows(lines_of(text), header, file, names)


def header_of(lines: Iterable[str], names: Names) -> Header:
    """The header of a table."""
    filled = (line for line in lines if line.strip())
    first = next(filled, "")
    if told := _SPREADSHEET.fullmatch(first.strip(MARK)):
        return Header(told[1], _columns(next(filled, ""), told[1]), announced=True)
    known = set(chain.from_iterable(names.values()))

    def sense(delimiter: str) -> tuple[int, int]:
        columns = _columns(first, delimiter)
        return len(known.intersection(columns)), len(columns)

    best = max(DELIMITERS, key=sense)
    return Header(best, _columns(first, best))


def read_jsonl(file: Path, settings: SourceSettings) -> Read:
    """Rows of a file with one JSON object a line."""
    names = columns_of(settings.columns)
    with open_text(file) as text:
        for number, line in enumerate(lines_of(text), start=1):
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
            except (ValueError, RecursionError) as error:
                bad = Outcome.BAD_ENCODING if has_undecoded(line) else Outcome.BAD_LINE
                why = "it is too long" if is_too_long(line) else f"not JSON: {error}"
                yield RowFault(str(file), number, bad, why)
                continue
            yield _json_row(fields, file, number, names)


def read_json(file: Path, settings: SourceSettings) -> Read:
    """Rows of one JSON array of objects, numbered by their places; or of JSON lines under this name."""
    with open_text(file) as text:
        head = text.read(HEAD_CHARACTERS).lstrip()
        if not head.startswith("["):
            yield from read_jsonl(file, settings)
            return
        whole = (head + text.read(MAX_JSON)).strip()
    try:
        entries = json.loads(whole)
    except (ValueError, RecursionError) as error:
        long = len(whole) > MAX_JSON
        yield RowFault(str(file), 0, Outcome.BAD_LINE, "too long; write JSON lines" if long else f"not JSON: {error}")
        return
    names = columns_of(settings.columns)
    yield from (_json_row(fields, file, number, names) for number, fields in enumerate(entries, start=1))


def _json_row(fields: Any, file: Path, number: int, names: Names) -> SourceRow | RowFault:
    if not isinstance(fields, dict):
        return RowFault(str(file), number, Outcome.BAD_LINE, "not a JSON object")
    return row_of(by_column((key.strip().lower(), value) for key, value in fields.items()), file, number, names)


def _columns(line: str, delimiter: str) -> Cells:
    try:
        cells: Cells = next(csv.reader((line,), delimiter=delimiter), [])
    except csv.Error:
        return []
    return [name.strip().strip(MARK).lower() for name in cells]


def _csv_rows(lines: Iterable[str], header: Header, file: Path, names: Names) -> Read:
    columns = header.columns
    times = {*names["start"], *names["end"]} if header.delimiter != "," else set[str]()

    def row(number: int, cells: Cells) -> SourceRow | RowFault:
        return row_of(_fields(columns, cells, times), file, number, names)

    def is_row(cells: Cells) -> bool:
        one = row(1, cells) if len(cells) == len(columns) else None
        return isinstance(one, SourceRow) and (one.link is not None or _is_media(one.path))

    read = records(lines, delimiter=header.delimiter, is_row=is_row)
    for one in _behind_header(read, header):
        if isinstance(one, BadRecord):
            yield RowFault(str(file), one.number, Outcome.BAD_LINE, one.detail)
            continue
        cells = [header.delimiter.join(one.cells)] if len(columns) == 1 else one.cells
        if any(cell.strip() for cell in cells[len(columns) :]):
            detail = f"it has {len(cells)} cells, the header {len(columns)}"
            yield RowFault(str(file), one.number, Outcome.BAD_LINE, detail)
        else:
            yield row(one.number, cells)


def _behind_header(read: Iterator[Record | BadRecord], header: Header) -> Iterator[Record | BadRecord]:
    for _ in range(1 + header.announced):
        next(read, None)
    return read


def _fields(columns: Cells, cells: Cells, times: Collection[str]) -> dict[str, str]:
    """Cells by column; where commas do not part cells they may stand in numbers, as spreadsheets of half Europe do."""
    fields = dict(zip(columns, cells, strict=False))
    if len(fields) < min(len(columns), len(cells)):
        fields = by_column(zip(columns, cells, strict=False))
    return fields | {name: fields[name].replace(",", ".") for name in times & fields.keys()}


def _is_media(path: Path | None) -> bool:
    return path is not None and PurePosixPath(path).suffix.lower() in SUFFIXES
