"""Write samples into WebDataset shards whose bytes depend on the samples alone.

Members carry no time, owner or order of arrival; where each clip and each of its media files lies is noted, so a reader
can fetch one without reading its shard.
"""

import hashlib
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shards.errors import SnapshotError
from shards.schema import Blob, Sample


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard file: its name relative to the snapshot's folder, number of clips, size in bytes, sha256."""

    name: str
    clips: int
    bytes: int
    sha256: str


def write_shard(path: Path, samples: Sequence[Sample]) -> tuple[Shard, list[dict[str, Any]]]:
    """Write samples in the order given; one sample is in memory at a time.

    Returns the shard and an index row for each clip: `shard`, `offset` and `size` (the clip's whole byte range in the
    tar, headers and padding included), `sha256` of that range, and the ranges of the media.

    Raises:
        SnapshotError: a media file is not what was noted when it was cut.
    """
    import webdataset

    with webdataset.TarWriter(str(path), encoder=False, mtime=0, user="", group="", mode=0o644) as tar:
        for sample in samples:
            tar.write(
                {
                    "__key__": sample.record.key,
                    "mp4": _read(sample.mp4, sample.record.key),
                    "flac": _read(sample.flac, sample.record.key),
                    "json": sample.record.to_json(),
                }
            )
    whole, rows = hashlib.sha256(), []
    with path.open("rb") as file:
        for sample, (start, end, media) in zip(samples, _ranges(path, len(samples)), strict=True):
            data = file.read(end - start)
            whole.update(data)
            place = {"shard": path.name, "offset": start, "size": end - start, "sha256": _hex(data)}
            rows.append(sample.record.to_row() | place | media | {"content": sample.content()})
        while tail := file.read(1 << 20):
            whole.update(tail)
    return Shard(path.name, len(samples), path.stat().st_size, whole.hexdigest()), rows


def packed_size(sample: Sample, record: bytes) -> int:
    """How many bytes a clip with this JSON takes in a shard: three headers, and each file padded to blocks of 512."""
    sizes = (len(record), sample.mp4.size, sample.flac.size)
    return sum(512 + -(-size // 512) * 512 for size in sizes)


def _read(blob: Blob, key: str) -> bytes:
    data = blob.read()
    if _hex(data) != blob.sha256:
        raise SnapshotError(
            f"a cut file of clip {key} changed since it was cut",
            remedy="delete the folder `cuts` in the home and run again; every clip is cut anew",
        )
    return data


def _ranges(path: Path, clips: int) -> Iterator[tuple[int, int, dict[str, int]]]:
    """(start, end, where the media lie) of each clip; three members a clip, as written."""
    with tarfile.open(path, "r:") as tar:
        members = tar.getmembers()
    assert len(members) == 3 * clips
    for first in range(0, len(members), 3):
        three = members[first : first + 3]
        last = three[-1]
        media: dict[str, int] = {}
        for member in three:
            kind = member.name.rpartition(".")[2]
            if kind != "json":
                media |= {f"{kind}_offset": member.offset_data, f"{kind}_size": member.size}
        yield three[0].offset, last.offset_data + -(-last.size // 512) * 512, media


def _hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
