"""Answers as CSV and parquet tables: every row, those that were taken back too, out of one ledger and into another.

A CSV may have been through a spreadsheet on its way; see `spreadsheets.py`.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select

from curation.ledger.open import Ledger
from curation.ledger.tables import VerdictRow
from curation.review.records import COLUMNS, Record, record_of, sentence, take_in
from curation.review.spreadsheets import bare, guarded, number, read_as_saved
from curation.settings.review import ReviewSettings
from shards.errors import BadInput
from shards.files import write_atomic

WHOLE, REAL = ("id", "undoes", "sound_late_us"), ("seconds",)
NEEDED = {"id", "clip_id", "reviewer", "verdict"}


def export_answers(ledger: Ledger, path: Path) -> int:
    """Write every row of a person's answers to a CSV or parquet table; returns how many.

    Raises:
        BadInput: the name ends in neither.
    """
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    with ledger.session() as session:
        rows = [record_of(row) for row in session.scalars(select(VerdictRow).order_by(VerdictRow.id))]
    for row in rows:
        row["parts"] = json.dumps(row["parts"]) if row["parts"] else None
    csv = _kind(path) == ".csv"
    if csv:
        rows = [{name: guarded(cell) if isinstance(cell, str) else cell for name, cell in row.items()} for row in rows]
    kinds = {name: pa.int64() for name in WHOLE} | {name: pa.float64() for name in REAL}
    table = pa.Table.from_pylist(rows, schema=pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS]))
    sink = pa.BufferOutputStream()
    if csv:
        pc.write_csv(table, sink)
    else:
        pq.write_table(table, sink)
    write_atomic(path, sink.getvalue().to_pybytes())
    return len(rows)


def import_answers(ledger: Ledger, path: Path, settings: ReviewSettings) -> tuple[int, int]:
    """Take in the rows of a table, all or none; returns how many were new, and how many were here already.

    Raises:
        BadInput: the file is no such table, or names clips that the ledger does not hold.
    """
    return take_in(ledger, _read(path), settings)


def _read(path: Path) -> list[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = _csv_cells(path) if _kind(path) == ".csv" else pq.read_table(path).to_pylist()
    except (OSError, pa.ArrowException, ValueError) as error:
        raise _no_table(path, sentence(error)) from error
    if found and (missing := NEEDED - found[0].keys()):
        columns = ", ".join(found[0])
        raise _no_table(path, f"it has no column {', '.join(sorted(missing))}; its columns are: {columns[:200]}")
    return [_record(one, path, number) for number, one in enumerate(found, start=1)]


def _csv_cells(path: Path) -> list[dict[str, Any]]:
    """The cells of a CSV by column; what is empty and was not quoted is None."""
    import pyarrow as pa
    import pyarrow.csv as pc

    data, delimiter = read_as_saved(path)
    header = data.partition(b"\n")[0].decode("utf-8", "replace").strip()
    names = [name.strip().strip('"') for name in header.split(delimiter)]
    # Words stay words: a caption "NA" is no missing caption, and one that was emptied is not one that was left alone.
    words = pc.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    lines = pc.ParseOptions(newlines_in_values=True, delimiter=delimiter)
    table = pc.read_csv(pa.BufferReader(data), convert_options=words, parse_options=lines)
    return [{name.strip(): _cell(name.strip(), cell) for name, cell in row.items()} for row in table.to_pylist()]


def _cell(name: str, cell: str | None) -> str | None:
    if cell is None:
        return None
    return number(cell) if name in (*WHOLE, *REAL) else bare(cell)


def _record(cells: dict[str, Any], path: Path, row: int) -> Record:
    told = {name: value for name, value in cells.items() if value is not None}
    # Other programs write what is not there as an empty word.
    empty = [name for name in (*WHOLE[1:], *REAL, "reason", "role", "key", "at", "parts") if told.get(name) == ""]
    told |= dict.fromkeys(empty)
    try:
        told["parts"] = json.loads(told["parts"]) if told.get("parts") else None
        return Record.model_validate(told)
    except ValidationError as error:
        raise _no_table(path, f"in its row {row} {sentence(error)}") from error
    except ValueError as error:
        raise _no_table(path, f"in its row {row} parts is {told['parts']!r}: {error}"[:300]) from error


def _no_table(path: Path, reason: str) -> BadInput:
    return BadInput(f"{path} is no table of answers: {reason}", remedy="export one to see its columns")


def _kind(path: Path) -> str:
    if path.suffix not in (".csv", ".parquet"):
        raise BadInput(f"answers are not written as {path.suffix or path.name}", remedy="use .csv, .parquet or .json")
    return path.suffix
