"""Snapshots are whole, immutable, deterministic, shared where they can be, and readable without Clapboard."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet
import pytest
import webdataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shards.errors import BadInput, SnapshotError
from shards.publishing import publish
from shards.reader import ClipReader, read_sample, read_samples
from shards.schema import Blob, Sample
from shards.snapshot import list_snapshots, open_snapshot, place
from shards.verifying import verify
from tests.shards.conftest import sample


def tree(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def keys_of(snapshot) -> list[str]:
    return [record.key for record in read_samples(snapshot)]


@pytest.fixture(params=["folder", "object store"])
def root(request, tmp_path):
    """Where snapshots lie: a folder, and a prefix of an object store."""
    return place(tmp_path / "data" if request.param == "folder" else request.getfixturevalue("bucket"))


def test_plain_webdataset_and_pyarrow_read_it(tmp_path):
    snapshot = publish(tmp_path, "auto", [sample(n) for n in range(5)], recipe={}, clips_per_shard=2).snapshot
    seen = {
        one["__key__"]: one for one in webdataset.WebDataset([str(p) for p in snapshot.shards()], shardshuffle=False)
    }
    assert sorted(seen) == [f"{n:04x}" for n in range(5)]
    assert json.loads(seen["0003"]["json"])["scores"] == {"sync": 0.53}
    table = pyarrow.parquet.read_table(snapshot.path / "index.parquet").sort_by("key")
    assert table.column("score_sync").to_pylist() == [0.5 + n / 100 for n in range(5)]
    assert sorted(shard["clips"] for shard in snapshot.manifest["shards"]) == [1, 2, 2]


def test_the_index_says_where_each_media_file_lies(tmp_path):
    clips = {one.record.key: one for one in (sample(n) for n in range(5))}
    snapshot = publish(tmp_path, "auto", list(clips.values()), recipe={}, clips_per_shard=2).snapshot
    for row in snapshot.index().to_pylist():
        shard = snapshot.file(row["shard"]).read_bytes()
        for kind in ("mp4", "flac"):
            first, size = row[f"{kind}_offset"], row[f"{kind}_size"]
            assert shard[first : first + size] == getattr(clips[row["key"]], kind).read()


def test_sha256sum_itself_finds_it_whole(tmp_path):
    snapshot = publish(tmp_path, "auto", [sample(n) for n in range(3)], recipe={}).snapshot
    done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=snapshot.path, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_the_same_clips_in_another_order_give_the_same_bytes(tmp_path):
    clips = [sample(n) for n in range(6)]
    first = publish(tmp_path / "a", "auto", clips, recipe={"x": 1}, clips_per_shard=4).snapshot
    second = publish(tmp_path / "b", "auto", clips[::-1], recipe={"x": 1}, clips_per_shard=4).snapshot
    assert tree(first.path) == tree(second.path)


def test_publishing_the_same_clips_again_writes_nothing(root):
    clips = [sample(n) for n in range(3)]
    assert publish(root, "auto", clips, recipe={}).fresh
    again = publish(root, "auto", clips, recipe={})
    assert not again.fresh
    assert [one.id for one in list_snapshots(root)] == ["auto/v1"]


def test_changed_clips_become_the_next_version_and_the_old_one_stays(tmp_path):
    old = publish(tmp_path, "auto", [sample(1)], recipe={}).snapshot
    before = tree(old.path)
    assert publish(tmp_path, "auto", [sample(1), sample(2)], recipe={}).snapshot.id == "auto/v2"
    assert tree(old.path) == before
    assert open_snapshot(tmp_path, "auto").id == "auto/v2"
    assert open_snapshot(tmp_path, "auto/v1").id == "auto/v1"


def test_what_is_added_lies_in_new_shards_and_the_rest_is_shared(root):
    first = publish(root, "auto", [sample(n) for n in range(8)], recipe={}, clips_per_shard=4)
    more = publish(root, "auto", [sample(n) for n in range(14)], recipe={}, clips_per_shard=4)
    assert (first.shared_bytes, more.shared_bytes) == (0, first.written_bytes)
    assert sorted(keys_of(more.snapshot)) == [f"{n:04x}" for n in range(14)]
    assert verify(more.snapshot) == [] == verify(first.snapshot)
    assert read_sample(more.snapshot, "0003").mp4 == sample(3).mp4.read()
    old = {shard["sha256"] for shard in first.snapshot.manifest["shards"]}
    assert old < {shard["sha256"] for shard in more.snapshot.manifest["shards"]}


def test_shared_shards_outlive_the_version_that_they_come_from(tmp_path):
    first = publish(tmp_path, "auto", [sample(n) for n in range(8)], recipe={}, clips_per_shard=4).snapshot
    more = publish(tmp_path, "auto", [sample(n) for n in range(14)], recipe={}, clips_per_shard=4).snapshot
    shared = {path.stat().st_ino for path in first.shards()} & {path.stat().st_ino for path in more.shards()}
    assert len(shared) == 2
    shutil.rmtree(first.path)
    assert verify(more) == []


def test_a_shard_with_a_changed_clip_is_not_shared(tmp_path):
    clips = [sample(n) for n in range(8)]
    publish(tmp_path, "auto", clips, recipe={}, clips_per_shard=4)
    changed = publish(tmp_path, "auto", [sample(0, label="bell"), *clips[1:]], recipe={}, clips_per_shard=4)
    assert changed.written_bytes == changed.shared_bytes > 0
    assert read_sample(changed.snapshot, "0000").meta["label"] == "bell"


def test_score_columns_that_only_some_clips_have_are_null_for_the_others(tmp_path):
    publish(tmp_path, "auto", [sample(n, scores={"old": 1.0}) for n in range(4)], recipe={}, clips_per_shard=2)
    clips = [*(sample(n, scores={"old": 1.0}) for n in range(4)), sample(9, scores={"new": 2.0})]
    index = publish(tmp_path, "auto", clips, recipe={}, clips_per_shard=2).snapshot.index().sort_by("key")
    assert index.column("score_old").to_pylist() == [1.0] * 4 + [None]
    assert index.column("score_new").to_pylist() == [None] * 4 + [2.0]


def test_leftovers_of_a_killed_publication_are_not_seen_and_not_used(tmp_path):
    (tmp_path / "auto" / "v1").mkdir(parents=True)  # renamed folders always hold a manifest; this one does not
    (tmp_path / ".staging" / "auto-junk").mkdir(parents=True)
    assert list_snapshots(tmp_path) == []
    with pytest.raises(SnapshotError, match="no snapshot"):
        open_snapshot(tmp_path, "auto")
    assert publish(tmp_path, "auto", [sample(1)], recipe={}).snapshot.id == "auto/v1"


KILLED = """
    import os, sys
    from shards.publishing import publish
    from shards.schema import Blob, Sample
    from shards.snapshot import place
    from conftest import sample

    def die():
        os.kill(os.getpid(), 9)

    if __name__ == "__main__":
        clips = [sample(n) for n in range(6)]
        last = clips[-1]
        clips[-1] = Sample(last.record, Blob(last.mp4.size, last.mp4.sha256, die), last.flac)
        publish(place(sys.argv[1]), "auto", clips, recipe={}, clips_per_shard=2)
"""


def test_a_publication_that_is_killed_half_way_is_not_seen_and_the_next_one_is_whole(root):
    program = [sys.executable, "-c", textwrap.dedent(KILLED), str(root)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    assert subprocess.run(program, capture_output=True, env=environment).returncode == -9
    assert list_snapshots(root) == []
    done = publish(root, "auto", [sample(n) for n in range(6)], recipe={}, clips_per_shard=2)
    assert done.snapshot.id == "auto/v1"
    assert verify(done.snapshot) == []
    assert not (root / ".staging").exists() or not list((root / ".staging").iterdir())


def overtaken(root) -> Sample:
    """A clip in whose middle somebody else publishes."""

    def meanwhile() -> bytes:
        publish(root, "auto", [sample(7)], recipe={"other": True})
        return slow.mp4.read()

    slow = sample(1)
    return Sample(slow.record, Blob(slow.mp4.size, slow.mp4.sha256, meanwhile), slow.flac)


def test_in_a_folder_the_quicker_of_two_publications_wins_and_the_other_is_told(tmp_path):
    with pytest.raises(SnapshotError, match="meanwhile"):
        publish(tmp_path, "auto", [overtaken(tmp_path)], recipe={})
    assert keys_of(open_snapshot(tmp_path, "auto/v1")) == ["0007"]


def test_in_an_object_store_two_publications_at_once_become_two_versions(bucket):
    root = place(bucket)
    assert publish(root, "auto", [overtaken(root)], recipe={}).snapshot.id == "auto/v1"
    assert [keys_of(one) for one in list_snapshots(root)] == [["0001"], ["0007"]]
    assert [verify(one) for one in list_snapshots(root)] == [[], []]


def test_a_cut_file_that_changed_is_not_published(tmp_path):
    clip = sample(1)
    with pytest.raises(SnapshotError, match="changed since it was cut"):
        publish(tmp_path, "auto", [Sample(clip.record, Blob(3, clip.mp4.sha256, lambda: b"bad"), clip.flac)], recipe={})
    assert list_snapshots(tmp_path) == []
    assert list((tmp_path / ".staging").iterdir()) == []


def test_clips_are_read_by_their_byte_ranges(root):
    clips = [sample(n) for n in range(7)]
    snapshot = publish(root, "auto", clips, recipe={}, clips_per_shard=3).snapshot
    reader = ClipReader(snapshot)
    by_number = {record.key: record for record in (reader[n] for n in range(len(reader)))}
    reader.close()
    for clip in clips:
        record = read_sample(snapshot, clip.record.key)
        assert (record.mp4, record.flac) == (clip.mp4.read(), clip.flac.read())
        assert by_number[record.key] == record
    assert sorted(keys_of(snapshot)) == sorted(clip.record.key for clip in clips)
    with pytest.raises(SnapshotError, match="has no clip"):
        read_sample(snapshot, "ffff")


def test_threads_share_a_reader(root, monkeypatch):
    monkeypatch.setattr("shards.reader.OPEN_SHARDS", 2)
    snapshot = publish(root, "auto", [sample(n) for n in range(12)], recipe={}, clips_per_shard=3).snapshot
    reader, alone = ClipReader(snapshot), {record.key: record for record in read_samples(snapshot)}
    numbers = [n % len(reader) for n in range(240)]
    with ThreadPoolExecutor(8) as threads:
        assert all(alone[record.key] == record for record in threads.map(reader.__getitem__, numbers))
    reader.close()


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return publish(tmp_path_factory.mktemp("whole"), "auto", [sample(1), sample(2)], recipe={"a": 1}).snapshot


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_verify_finds_any_flipped_bit_of_any_file(published, data):
    name = data.draw(st.sampled_from(sorted(path.name for path in published.path.iterdir())))
    path = published.path / name
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        path.write_bytes(changed)
        assert verify(open_snapshot(published.path.parent.parent, published.id)) != []
    finally:
        path.write_bytes(whole)
    assert verify(published) == []


@pytest.mark.parametrize("name", ["000000.tar", "index.parquet", "SHA256SUMS"])
def test_verify_finds_a_missing_file(tmp_path, name):
    snapshot = publish(tmp_path, "auto", [sample(1), sample(2)], recipe={}).snapshot
    (snapshot.path / name).unlink()
    assert any(name in fault for fault in verify(snapshot))


def test_verify_finds_a_file_that_does_not_belong(tmp_path):
    snapshot = publish(tmp_path, "auto", [sample(1)], recipe={}).snapshot
    (snapshot.path / "000001.tar").write_bytes(b"")
    assert verify(snapshot) == ["000001.tar does not belong to the snapshot"]


def test_verify_asks_about_a_sample_of_clips_that_is_always_the_same(tmp_path):
    snapshot = publish(tmp_path, "auto", [sample(n) for n in range(20)], recipe={}).snapshot
    faults = verify(snapshot, check=lambda record: [f"{len(record.mp4)} bytes"], clips=5)
    assert len(faults) == 5
    assert faults == verify(snapshot, check=lambda record: [f"{len(record.mp4)} bytes"], clips=5)


def test_refuses_an_empty_snapshot_a_clip_twice_and_a_name_that_leaves_the_folder(tmp_path):
    with pytest.raises(BadInput, match="no clip was accepted"):
        publish(tmp_path, "auto", [], recipe={})
    with pytest.raises(BadInput, match="comes twice"):
        publish(tmp_path, "auto", [sample(1), sample(1)], recipe={})
    with pytest.raises(BadInput, match="cannot name"):
        publish(tmp_path, "../out", [sample(1)], recipe={})
