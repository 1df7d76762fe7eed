"""Answers as CSV and parquet tables: every row, those that were taken back too, out of one ledger and into another."""

import json
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy import select

from curation.ledger.open import Ledger
from curation.ledger.tables import VerdictRow
from curation.review.records import COLUMNS, Record, record_of, take_in
from curation.review.settings import ReviewSettings
from shards.errors import BadInput
from shards.files import write_atomic

WHOLE, REAL = ("id", "undoes", "sound_late_us"), ("seconds",)


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
    kinds = {name: pa.int64() for name in WHOLE} | {name: pa.float64() for name in REAL}
    table = pa.Table.from_pylist(rows, schema=pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS]))
    sink = pa.BufferOutputStream()
    if _kind(path) == ".csv":
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
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    kinds = {name: pa.int64() for name in WHOLE} | {name: pa.float64() for name in REAL}
    # Words stay words: a caption "NA" is no missing caption, and one that was emptied is not one that was left alone.
    words = pc.ConvertOptions(
        column_types={name: kinds.get(name, pa.string()) for name in COLUMNS},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    try:
        if _kind(path) == ".csv":
            lines = pc.ParseOptions(newlines_in_values=True)
            found = pc.read_csv(path, convert_options=words, parse_options=lines).to_pylist()
        else:
            found = pq.read_table(path).to_pylist()
        rows = []
        for one in found:
            told = {name: value for name, value in one.items() if value is not None}
            told |= {"parts": json.loads(told["parts"])} if told.get("parts") else {"parts": None}
            # Other programs write what is not there as an empty word.
            empty = [name for name in ("reason", "role", "key", "at") if told.get(name) == ""]
            rows.append(Record.model_validate(told | dict.fromkeys(empty)))
        return rows
    except (OSError, pa.ArrowException, ValidationError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"{path} is no table of answers: {reason}", remedy="export one to see its columns") from error


def _kind(path: Path) -> str:
    if path.suffix not in (".csv", ".parquet"):
        raise BadInput(f"answers are not written as {path.suffix or path.name}", remedy="use .csv, .parquet or .json")
    return path.suffix
