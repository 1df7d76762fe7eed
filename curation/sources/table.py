"""Tables of links or paths: CSV with a header, or JSON lines.

Columns: `url` (or `link`) or `path` (or `file`); optional `start` and `end` in seconds or [h:]mm:ss, `caption`,
`label` (or `class`), `licence`, `split`. Others are passed over; other names are told in `sources.columns`.
"""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from curation.outcomes import Outcome
from curation.sources.base import Read, RowFault, printable
from curation.sources.rows import columns_of, has_undecoded, row_of
from curation.sources.settings import SourceSettings

Names = Mapping[str, tuple[str, ...]]


def read_csv(file: Path, settings: SourceSettings) -> Read:
    """Rows of a CSV table; commas, semicolons or tabs, whichever its header has most of."""
    names = columns_of(settings.columns)
    with _open(file) as lines:
        header = next((line for line in lines if line.strip()), "")
        delimiter = max(",;\t", key=header.count)
        columns = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
    if not set(columns) & {*names["link"], *names["path"]}:
        outcome = Outcome.BAD_ENCODING if has_undecoded(header) else Outcome.MISSING_COLUMN
        yield RowFault(str(file), 0, outcome, printable(f"its columns are: {', '.join(columns) or 'none'}"))
        return
    with _open(file) as lines:
        # Strict, so that a quote which is never closed is a fault and not a cell that swallows the table.
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        yield from _csv_rows(reader, columns, delimiter, file, names)


def read_jsonl(file: Path, settings: SourceSettings) -> Read:
    """Rows of a file with one JSON object a line."""
    names = columns_of(settings.columns)
    with _open(file) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
            except (ValueError, RecursionError) as error:
                bad = Outcome.BAD_ENCODING if has_undecoded(line) else Outcome.BAD_LINE
                yield RowFault(str(file), number, bad, f"not JSON: {error}")
                continue
            if isinstance(fields, dict):
                yield row_of({key.strip().lower(): value for key, value in fields.items()}, file, number, names)
            else:
                yield RowFault(str(file), number, Outcome.BAD_LINE, "not a JSON object")


def _open(file: Path) -> TextIO:
    return file.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _csv_rows(reader: Any, columns: list[str], delimiter: str, file: Path, names: Names) -> Read:
    in_header = True
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield RowFault(str(file), number, Outcome.BAD_LINE, f"{error} (line {number} to {reader.line_num})")
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if in_header:
            in_header = False
            continue
        if len(columns) == 1:
            cells = [delimiter.join(cells)]
        if any(cell.strip() for cell in cells[len(columns) :]):
            detail = f"it has {len(cells)} cells, the header {len(columns)}"
            yield RowFault(str(file), number, Outcome.BAD_LINE, detail)
        else:
            yield row_of(dict(zip(columns, cells, strict=False)), file, number, names)
