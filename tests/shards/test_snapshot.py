"""Snapshots are whole, immutable, deterministic, and readable without Clapboard."""

import json
from pathlib import Path

import pyarrow.parquet
import pytest
import webdataset

from shards.errors import BadInput, SnapshotError
from shards.reader import read_sample, read_samples
from shards.schema import ClipRecord, Sample
from shards.snapshot import list_snapshots, open_snapshot, publish, verify


def sample(number: int, **changes) -> Sample:
    record = ClipRecord(
        key=f"{number:04x}",
        video_id="v",
        link="http://example.org/v.mp4",
        video_sha256="0" * 64,
        licence="CC0-1.0",
        start_us=0,
        end_us=3_000_000,
        caption="a drum",
        label="drum",
        frames=72,
        width_px=64,
        height_px=64,
        rate_hz=44_100,
        band="accept",
        reasons=(),
        p_good=0.9,
        scores={"sync": 0.5 + number / 100},
        **changes,
    )
    return Sample(record, mp4=bytes([number]) * (700 + 13 * number), flac=b"fLaC" + bytes([number]) * 99)


def tree(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def test_plain_webdataset_and_pyarrow_read_it(tmp_path):
    snapshot = publish(tmp_path, "auto", [sample(n) for n in range(5)], recipe={}, clips_per_shard=2).snapshot
    seen = list(webdataset.WebDataset([str(p) for p in snapshot.shards()], shardshuffle=False))
    assert [one["__key__"] for one in seen] == [f"{n:04x}" for n in range(5)]
    assert json.loads(seen[3]["json"])["scores"] == {"sync": 0.53}
    table = pyarrow.parquet.read_table(snapshot.path / "index.parquet")
    assert table.column("score_sync").to_pylist() == [0.5 + n / 100 for n in range(5)]
    assert [shard["clips"] for shard in snapshot.manifest["shards"]] == [1, 2, 2]


def test_the_same_clips_in_another_order_give_the_same_bytes(tmp_path):
    clips = [sample(n) for n in range(6)]
    first = publish(tmp_path / "a", "auto", clips, recipe={"x": 1}, clips_per_shard=4).snapshot
    second = publish(tmp_path / "b", "auto", clips[::-1], recipe={"x": 1}, clips_per_shard=4).snapshot
    assert tree(first.path) == tree(second.path)


def test_publishing_the_same_clips_again_writes_nothing(tmp_path):
    clips = [sample(n) for n in range(3)]
    assert publish(tmp_path, "auto", clips, recipe={}).fresh
    again = publish(tmp_path, "auto", clips, recipe={})
    assert not again.fresh
    assert [one.id for one in list_snapshots(tmp_path)] == ["auto/v1"]


def test_changed_clips_become_the_next_version_and_the_old_one_stays(tmp_path):
    old = publish(tmp_path, "auto", [sample(1)], recipe={}).snapshot
    before = tree(old.path)
    assert publish(tmp_path, "auto", [sample(1), sample(2)], recipe={}).snapshot.id == "auto/v2"
    assert tree(old.path) == before
    assert open_snapshot(tmp_path, "auto").id == "auto/v2"
    assert open_snapshot(tmp_path, "auto/v1").id == "auto/v1"


def test_leftovers_of_a_killed_publication_are_not_seen_and_not_used(tmp_path):
    (tmp_path / "auto" / "v1").mkdir(parents=True)  # renamed folders always hold a manifest; this one does not
    (tmp_path / ".staging" / "auto-junk").mkdir(parents=True)
    assert list_snapshots(tmp_path) == []
    with pytest.raises(SnapshotError, match="no snapshot"):
        open_snapshot(tmp_path, "auto")


def test_one_clip_is_read_by_its_byte_range(tmp_path):
    clips = [sample(n) for n in range(7)]
    snapshot = publish(tmp_path, "auto", clips, recipe={}, clips_per_shard=3).snapshot
    for clip in clips:
        record = read_sample(snapshot, clip.record.key)
        assert (record.mp4, record.flac) == (clip.mp4, clip.flac)
    assert [record.key for record in read_samples(snapshot)] == sorted(clip.record.key for clip in clips)
    with pytest.raises(SnapshotError, match="has no clip"):
        read_sample(snapshot, "ffff")


@pytest.mark.parametrize("name", ["000000.tar", "index.parquet"])
def test_verify_finds_one_flipped_bit(tmp_path, name):
    snapshot = publish(tmp_path, "auto", [sample(1), sample(2)], recipe={}).snapshot
    assert verify(snapshot) == []
    data = bytearray((snapshot.path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (snapshot.path / name).write_bytes(data)
    assert [name in fault for fault in verify(snapshot)] == [True]


def test_refuses_an_empty_snapshot_and_a_name_that_leaves_the_folder(tmp_path):
    with pytest.raises(BadInput, match="no clip was accepted"):
        publish(tmp_path, "auto", [], recipe={})
    with pytest.raises(BadInput, match="cannot name"):
        publish(tmp_path, "../out", [sample(1)], recipe={})
