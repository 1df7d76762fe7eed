"""Read clips back: all of a snapshot in order, or one by its byte range."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator

from shards.errors import SnapshotError
from shards.schema import Record
from shards.snapshot import Snapshot


def read_samples(snapshot: Snapshot) -> Iterator[Record]:
    """Every clip of the snapshot, shard by shard, in order of key.

    Raises:
        SnapshotError: a shard is missing or cannot be read.
    """
    import webdataset

    paths = snapshot.shards()
    for path in paths:
        if not path.is_file():
            raise SnapshotError(
                f"shard {path.name} of {snapshot.id} is missing",
                remedy=f"clapboard snapshot verify {snapshot.id}",
            )
    # Plain bytes in, plain bytes out: no decoder of the library is asked, so nothing in a shard can run code.
    for sample in webdataset.WebDataset([str(path) for path in paths], shardshuffle=False, empty_check=False):
        yield Record(sample["__key__"], sample["mp4"], sample["flac"], json.loads(sample["json"]))


def read_sample(snapshot: Snapshot, key: str) -> Record:
    """One clip by its key, reading only its byte range.

    Raises:
        SnapshotError: no such key, or its bytes are not those that were published.
    """
    import pyarrow.compute as pc

    found = snapshot.index().filter(pc.field("key") == key).to_pylist()
    if not found:
        raise SnapshotError(f"{snapshot.id} has no clip {key}", remedy=f"clapboard snapshot show {snapshot.id}")
    row = found[0]
    with (snapshot.path / row["shard"]).open("rb") as file:
        file.seek(row["offset"])
        data = file.read(row["size"])
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        raise SnapshotError(
            f"the bytes of {key} in {snapshot.id} changed", remedy=f"clapboard snapshot verify {snapshot.id}"
        )
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        parts = {member.name.rpartition(".")[2]: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    return Record(key, parts["mp4"], parts["flac"], json.loads(parts["json"]))
