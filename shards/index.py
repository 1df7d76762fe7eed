"""The index of a snapshot: one row per clip, written as parquet a shard at a time."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


class IndexWriter:
    """Writes rows, a row group a shard; columns are the same for all, what a row lacks is null.

    Use as a context manager. Memory grows by what parquet keeps of each column of each shard, some 20 KB a shard.
    """

    def __init__(self, path: Path, scores: Iterable[str]) -> None:
        """`scores` are the names of all score columns that any row has."""
        import pyarrow
        import pyarrow.parquet

        self.scores = tuple(sorted(scores))
        self._schema = pyarrow.schema(_fields(self.scores))
        self._writer = pyarrow.parquet.ParquetWriter(path, self._schema)

    def __enter__(self) -> "IndexWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, rows: Sequence[Row]) -> None:
        """Add the rows of a new shard."""
        self._write({name: [row.get(name) for row in rows] for name in self._schema.names}, len(rows))

    def copy(self, rows: Any, *, shard: str) -> None:
        """Add the rows of a shared shard, a `pyarrow.Table` of an older index, under the shard's name here."""
        there = {name: rows.column(name).to_pylist() for name in rows.column_names}
        missing = [None] * len(rows)
        columns = {name: there.get(name, missing) for name in self._schema.names}
        self._write(columns | {"shard": [shard] * len(rows)}, len(rows))

    def _write(self, columns: Mapping[str, Sequence[Any]], count: int) -> None:
        import pyarrow

        arrays = [pyarrow.array(columns[field.name], field.type) for field in self._schema]
        self._writer.write_table(pyarrow.table(arrays, schema=self._schema), row_group_size=max(count, 1))


def score_columns(names: Iterable[str]) -> set[str]:
    """The score columns among column names."""
    return {name for name in names if name.startswith("score_")}


def _fields(scores: Iterable[str]) -> list[tuple[str, Any]]:
    import pyarrow as pa

    text, whole, real = pa.string(), pa.int64(), pa.float64()
    kinds: dict[str, Any] = dict.fromkeys(
        ("key", "video_id", "link", "video_sha256", "licence", "caption", "label", "band", "verdict", "shard"), text
    )
    kinds |= dict.fromkeys(("start_us", "end_us", "duration_us", "frames", "width_px", "height_px", "rate_hz"), whole)
    kinds |= dict.fromkeys(("offset", "size", "mp4_offset", "mp4_size", "flac_offset", "flac_size"), whole)
    kinds |= {"reasons": pa.list_(text), "p_good": real, "sha256": text, "content": text}
    return sorted((kinds | dict.fromkeys(scores, real)).items())
