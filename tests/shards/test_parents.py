"""What a version is made of is compared with its digests first: damage and edits do not travel into the next one."""

import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shards.errors import SnapshotError
from shards.files import CHUNK
from shards.publishing import publish
from shards.snapshot import list_snapshots, open_snapshot, place
from shards.takedown import give_up
from shards.verifying import verify
from tests.shards.conftest import sample


@pytest.fixture(params=["folder", "object store"])
def root(request, tmp_path):
    return place(tmp_path / "data" if request.param == "folder" else request.getfixturevalue("bucket"))


@pytest.fixture
def parent(root):
    """A version of two full shards."""
    return publish(root, "auto", [sample(n) for n in range(8)], recipe={}, clips_per_shard=4).snapshot


def more(root):
    return publish(root, "auto", [sample(n) for n in range(14)], recipe={}, clips_per_shard=4)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def edit_caption(path):
    with path.open("rb") as file:
        table = pq.read_table(file)
    captions = pa.array(["another"] * len(table))
    sink = pa.BufferOutputStream()
    pq.write_table(table.set_column(table.column_names.index("caption"), "caption", captions), sink)
    path.write_bytes(sink.getvalue().to_pybytes())


def edit_manifest(path):
    path.write_text(path.read_text().replace('"clips": 8', '"clips": 9'))


DAMAGES = {
    "a flipped bit in a shard": (lambda one: flip(one.shards()[1]), r"0000.*\.tar changed"),
    "a shard that is gone": (lambda one: one.shards()[0].unlink(), r"0000.*\.tar is missing"),
    "a shard that was cut short": (lambda one: one.shards()[0].write_bytes(b"short"), r"0000.*\.tar"),
    "an edited index": (lambda one: edit_caption(one.file("index.parquet")), r"index.parquet changed"),
    "a flipped bit in the index": (lambda one: flip(one.file("index.parquet")), r"index.parquet changed"),
    "an index that is gone": (lambda one: one.file("index.parquet").unlink(), r"index.parquet is missing"),
    "an edited manifest": (lambda one: edit_manifest(one.file("snapshot.json")), r"do not agree"),
    "a manifest of nothing": (lambda one: one.file("snapshot.json").write_text("{}"), r"not readable"),
    "sums that are gone": (lambda one: one.file("SHA256SUMS").unlink(), r"SHA256SUMS is missing"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_parent_stops_with_what_mends_it(root, parent, damage):
    harm, told = DAMAGES[damage]
    harm(parent)
    with pytest.raises(SnapshotError, match=told) as caught:
        more(root)
    assert "clapboard snapshot withdraw auto/v1" in caught.value.remedy
    assert [one.id for one in list_snapshots(root)] == ["auto/v1"]

    give_up(open_snapshot(root, "auto/v1"), reason="damaged")
    made = more(root)
    assert (made.snapshot.id, made.shared_bytes, verify(made.snapshot)) == ("auto/v2", 0, [])


def test_damage_that_left_size_and_time_as_they_were_is_found_on_disks(tmp_path):
    """Disks forget a bit and tell nobody."""
    parent = publish(tmp_path, "auto", [sample(n) for n in range(8)], recipe={}, clips_per_shard=4).snapshot
    shard = parent.shards()[0]
    before = shard.stat()
    flip(shard)
    os.utime(shard, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(SnapshotError, match=r"000000.tar changed"):
        more(tmp_path)


def test_a_shard_that_is_not_shared_may_be_damaged(root):
    """It is written anew from what was cut."""
    parent = publish(root, "auto", [sample(n) for n in range(8)], recipe={}, clips_per_shard=4).snapshot
    changed = [sample(n, label="bell") if n == 0 else sample(n) for n in range(8)]
    rows = parent.index(["key", "shard"]).to_pylist()
    flip(parent.file(next(row["shard"] for row in rows if row["key"] == "0000")))
    assert verify(publish(root, "auto", changed, recipe={}, clips_per_shard=4).snapshot) == []


def test_each_byte_that_is_shared_is_read_once(tmp_path):
    """As the system counts what a process reads."""
    large = [sample(n, size=4 * CHUNK) for n in range(8)]
    parent = publish(tmp_path, "auto", large, recipe={}, clips_per_shard=4).snapshot
    shared = sum(path.stat().st_size for path in parent.shards())
    read = bytes_read()
    made = publish(tmp_path, "auto", [*large, sample(9)], recipe={}, clips_per_shard=4)
    assert made.shared_bytes == shared
    assert shared <= bytes_read() - read < 1.25 * shared


def test_where_there_are_no_hard_links_a_damaged_shard_is_not_copied(tmp_path, monkeypatch):
    parent = publish(tmp_path, "auto", [sample(n) for n in range(8)], recipe={}, clips_per_shard=4).snapshot
    monkeypatch.setattr("pathlib.Path.hardlink_to", no_links)
    copied = more(tmp_path)
    assert verify(copied.snapshot) == [] and copied.shared_bytes
    shutil.rmtree(copied.snapshot.path)
    flip(parent.shards()[0])
    with pytest.raises(SnapshotError, match=r"000000.tar changed"):
        more(tmp_path)


def no_links(*_):
    raise OSError("this disk has no hard links")


def bytes_read():
    with Path("/proc/self/io").open() as told:
        return int(next(line for line in told if line.startswith("rchar")).split()[1])
