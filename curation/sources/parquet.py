"""Tables of links or paths as parquet, read a batch at a time; columns as in `table.py`."""

from pathlib import Path
from typing import Any

from curation.outcomes import Outcome
from curation.sources.base import Read, RowFault
from curation.sources.rows import columns_of, row_of
from curation.sources.settings import SourceSettings

ROWS_AT_ONCE = 10_000


def read_parquet(file: Path, settings: SourceSettings) -> Read:
    """Rows of a parquet file; only columns that mean something are read."""
    import pyarrow
    import pyarrow.parquet

    names = columns_of(settings.columns)
    try:
        table = pyarrow.parquet.ParquetFile(file)
    except (pyarrow.ArrowException, OSError) as error:
        yield RowFault(str(file), 0, Outcome.BAD_LINE, f"it is no parquet file: {error}"[:300])
        return
    with table:
        wanted = {name for aliases in names.values() for name in aliases}
        columns = [name for name in table.schema_arrow.names if name.strip().lower() in wanted]
        if not {name.strip().lower() for name in columns} & {*names["link"], *names["path"]}:
            detail = f"its columns are: {', '.join(table.schema_arrow.names)}"
            yield RowFault(str(file), 0, Outcome.MISSING_COLUMN, detail)
            return
        number = 0
        try:
            for batch in table.iter_batches(ROWS_AT_ONCE, columns=columns):
                for fields in batch.to_pylist():
                    number += 1
                    yield row_of(_named(fields), file, number, names)
        except (pyarrow.ArrowException, OSError) as error:
            yield RowFault(str(file), number + 1, Outcome.BAD_LINE, f"it breaks off: {error}"[:300])


def _named(fields: dict[str, Any]) -> dict[str, Any]:
    return {name.strip().lower(): value for name, value in fields.items()}
