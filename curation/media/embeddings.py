"""Embeddings of a video's pictures and sounds over time, kept: new captions and classes need no model to look again.

One parquet file a video and model, `HOME/embeddings/KEY/VIDEO.parquet`: `at_us` and `embedding` (float16). Scores are
computed from the rounded numbers even when they have just been made, so that a second look gives the same.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shards.files import write_atomic


@dataclass(frozen=True, slots=True)
class Track:
    """Embeddings along time.

    Attributes:
        at_us: (n,) int64 instants, ascending.
        embeddings: (n, width) float16, each about of length one.
    """

    at_us: NDArray[np.int64]
    embeddings: NDArray[np.float16]

    @classmethod
    def of(cls, at_us: NDArray[np.int64], embeddings: NDArray[np.float32]) -> "Track":
        """A track of embeddings at full precision, rounded."""
        return cls(np.asarray(at_us, np.int64), embeddings.astype(np.float16))

    def nearest(self, instants_us: NDArray[np.floating]) -> NDArray[np.float32]:
        """(instants, width) the embeddings nearest in time, of length one."""
        return _unit(self.embeddings[np.abs(self.at_us[None, :] - instants_us[:, None]).argmin(axis=1)])

    def within(self, start_us: int, end_us: int) -> NDArray[np.float32]:
        """(n, width) the embeddings of [start, end), of length one."""
        first, last = np.searchsorted(self.at_us, (start_us, end_us))
        return _unit(self.embeddings[first:last])


@dataclass(frozen=True, slots=True)
class EmbeddingStore:
    """Tracks on disk, by the key of what made them and the video's id."""

    folder: Path

    def path(self, key: str, video_id: str) -> Path:
        """Where a track lies, or would lie."""
        return self.folder / key / f"{video_id}.parquet"

    def read(self, key: str, video_id: str) -> Track | None:
        """A track, or None if it was not made, or is damaged and has to be made again."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.path(key, video_id)
        if not path.is_file():
            return None
        try:
            table = pq.read_table(path)
            column = table["embedding"].combine_chunks()
            flat = column.flatten().to_numpy(zero_copy_only=False)
            return Track(table["at_us"].to_numpy(), flat.reshape(len(table), column.type.list_size))
        except (pa.ArrowException, KeyError, OSError, AttributeError):
            return None

    def write(self, key: str, video_id: str, track: Track) -> None:
        """Keep a track; seen whole or not at all."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        width = track.embeddings.shape[1]
        column = pa.FixedSizeListArray.from_arrays(pa.array(track.embeddings.ravel()), width)
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"at_us": track.at_us, "embedding": column}), sink)
        path = self.path(key, video_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, sink.getvalue().to_pybytes())

    def remove(self, video_id: str) -> int:
        """Delete a video's tracks of all models; returns how many there were."""
        paths = list(self.folder.glob(f"*/{video_id}.parquet"))
        for path in paths:
            path.unlink(missing_ok=True)
        return len(paths)


def _unit(rows: NDArray[np.float16]) -> NDArray[np.float32]:
    wide = rows.astype(np.float32)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-6), np.float32)
