"""Tables of links or paths as parquet; columns as in `table.py`.

A few kilobytes of parquet can unpack to gigabytes, so another process, which may die of it, does that
(`parquet_worker.py`); its rows come here one at a time.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curation.media.process import Confined
from curation.outcomes import Outcome
from curation.sources.base import Read, RowFault, surrogates_escaped
from curation.sources.rows import columns_of, row_of
from curation.sources.settings import SourceSettings

MAX_ROW_BYTES = 4 << 20
"""Most bytes of what a row says, as JSON [ours]."""


def read_parquet(file: Path, settings: SourceSettings) -> Read:
    """Rows of a parquet file; only columns that mean something are read."""
    names, number = columns_of(settings.columns), 0
    wanted = sorted({name for aliases in names.values() for name in aliases})
    leading = sorted({*names["link"], *names["path"]})
    with _unpacked(file, wanted, leading) as told:
        for one in told:
            if "row" in one:
                number += 1
                yield row_of(one["row"], file, number, names)
            elif "columns" in one:
                detail = f"its columns are: {', '.join(one['columns'])}"
                yield RowFault(str(file), 0, Outcome.MISSING_COLUMN, surrogates_escaped(detail)[:500])
            else:
                what = "it breaks off" if number else "it is no parquet file that can be read"
                detail = surrogates_escaped(f"{what}: {one['fault']}")[:300]
                yield RowFault(str(file), number + bool(number), Outcome.BAD_LINE, detail)


@contextmanager
def _unpacked(file: Path, wanted: list[str], leading: list[str]) -> Iterator[Iterator[dict[str, Any]]]:
    """What the worker says about a file."""
    worker = Confined("curation.sources.parquet_worker", (str(file), json.dumps([wanted, leading])))
    try:
        yield _told(worker)
    finally:
        worker.end()


def _told(worker: Confined) -> Iterator[dict[str, Any]]:
    while line := worker.answers.readline(MAX_ROW_BYTES):
        if not line.endswith(b"\n"):
            yield {"fault": f"a row has more than {MAX_ROW_BYTES} bytes"}
            return
        yield json.loads(line)
    if worker.wait():
        yield {"fault": f"what unpacked it ended with {worker.ending}"}
