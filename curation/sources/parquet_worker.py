"""The other side of `parquet.py`: confines itself, unpacks a file, and writes a line of JSON for each row.

Run as `python -m curation.sources.parquet_worker FILE [WANTED, LEADING] LIFELINE`: the columns to read, and those of
which one must be there, in lower case; and the number of the pipe that ends with whoever started it.
"""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from curation.media.confine import allow_cpu, end_with, leave_network, limit
from curation.sources.cells import by_column

MEMORY_BYTES = 2 << 30
"""Address space [ours]: Python and Arrow take 0.5 GB of it, a batch of rows some megabytes."""

CPU_S = 3600.0
"""Processor time [ours]: a hundred million rows take less."""

ROWS_AT_ONCE = 1_000

MAX_GROUP_BYTES = 512 << 20
"""Most unpacked bytes of a column in a row group [ours]: columns of words have some ten megabytes."""


def main() -> None:
    """Entry point."""
    path, (wanted, leading), lifeline = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
    # Arrow's other allocators reserve address space that they never use, which is what is limited.
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    leave_network()
    end_with(lifeline, folder=os.environ["TMPDIR"])
    limit(memory_bytes=MEMORY_BYTES, file_bytes=0)
    allow_cpu(CPU_S)
    for told in _read(path, set(wanted), set(leading)):
        sys.stdout.write(json.dumps(told, default=_plain) + "\n")
    sys.stdout.flush()


def _read(path: str, wanted: set[str], leading: set[str]) -> Iterator[dict[str, Any]]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as table:
            columns = {name: name.strip().lower() for name in table.schema_arrow.names}
            if not leading & {*columns.values()}:
                yield {"columns": list(columns)}
                return
            mine = [name for name, known in columns.items() if known in wanted]
            _check(table.metadata, mine)
            for batch in table.iter_batches(ROWS_AT_ONCE, columns=mine, use_threads=False):
                for fields in batch.to_pylist():
                    yield {"row": by_column((columns[name], value) for name, value in fields.items())}
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
        # Arrow's own errors of memory are both of its kind and Python's.
        short = "it takes too much memory" if isinstance(error, MemoryError) else str(error)
        yield {"fault": short}


def _check(metadata: Any, columns: list[str]) -> None:
    """What a file says of its own size is asked before anything is unpacked."""
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for chunk in map(group.column, range(group.num_columns)):
            mine = chunk.path_in_schema.partition(".")[0] in columns
            if mine and chunk.total_uncompressed_size > MAX_GROUP_BYTES:
                raise ValueError(f"column {chunk.path_in_schema} unpacks to {chunk.total_uncompressed_size} bytes")


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        from curation.sources.text import decode_text

        return decode_text(value)
    return str(value)


if __name__ == "__main__":
    main()
