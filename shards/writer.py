"""Write samples into WebDataset shards whose bytes depend on the samples alone.

Members carry no time, owner or order of arrival; each sample's byte range is noted, so a reader can fetch one clip
without reading its shard.
"""

import hashlib
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shards.files import sha256_of
from shards.schema import Sample


@dataclass(frozen=True, slots=True)
class Shard:
    """A written shard file: name, number of clips, size in bytes, sha256."""

    name: str
    clips: int
    bytes: int
    sha256: str


def write_shards(
    folder: Path, samples: Sequence[Sample], *, clips_per_shard: int
) -> tuple[list[Shard], list[dict[str, Any]]]:
    """Write `samples`, in order of key, into shards of equal count (differing by one at most).

    Returns the shards and one index row per clip with `shard`, `offset`, `size` (the clip's whole byte range in the
    tar, headers and padding included) and `sha256` of that range.
    """
    shards: list[Shard] = []
    rows: list[dict[str, Any]] = []
    for number, part in enumerate(_equal_parts(sorted(samples, key=lambda s: s.record.key), clips_per_shard)):
        path = folder / f"{number:06d}.tar"
        rows += _write_shard(path, part)
        shards.append(Shard(path.name, len(part), path.stat().st_size, sha256_of(path)))
    return shards, rows


def _equal_parts(samples: Sequence[Sample], clips_per_shard: int) -> Iterator[Sequence[Sample]]:
    count = math.ceil(len(samples) / clips_per_shard)
    edges = [len(samples) * part // count for part in range(count + 1)] if count else []
    for first, last in itertools.pairwise(edges):
        yield samples[first:last]


def _write_shard(path: Path, samples: Sequence[Sample]) -> list[dict[str, Any]]:
    import webdataset

    spans: list[tuple[int, int]] = []
    with webdataset.TarWriter(str(path), encoder=False, mtime=0, user="", group="", mode=0o644) as tar:
        for sample in samples:
            offset = tar.tarstream.offset
            tar.write(
                {
                    "__key__": sample.record.key,
                    "mp4": sample.mp4,
                    "flac": sample.flac,
                    "json": sample.record.to_json(),
                }
            )
            spans.append((offset, tar.tarstream.offset - offset))
    with path.open("rb") as file:
        return [
            sample.record.to_row()
            | {
                "shard": path.name,
                "offset": offset,
                "size": size,
                "sha256": _sha256_of_range(file, offset, size),
            }
            for sample, (offset, size) in zip(samples, spans, strict=True)
        ]


def _sha256_of_range(file: Any, offset: int, size: int) -> str:
    file.seek(offset)
    return hashlib.sha256(file.read(size)).hexdigest()
