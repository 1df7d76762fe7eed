"""What is taken down is gone from every version, and nothing else is."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shards.errors import SnapshotError
from shards.publishing import publish
from shards.reader import read_samples
from shards.snapshot import list_snapshots, open_snapshot, place
from shards.takedown import log, take_down
from shards.verifying import verify
from tests.shards.conftest import sample

AT = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(params=["folder", "object store"])
def root(request, tmp_path):
    return place(tmp_path / "data" if request.param == "folder" else request.getfixturevalue("bucket"))


def keys_of(snapshot):
    return sorted(record.key for record in read_samples(snapshot))


def all_bytes(root):
    return b"".join(path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file())


def test_a_clip_leaves_every_version_and_only_its_shard_is_written_anew(root):
    clips = [sample(n) for n in range(12)]
    publish(root, "auto", clips[:8], recipe={}, clips_per_shard=4)
    whole = publish(root, "auto", clips, recipe={}, clips_per_shard=4)
    (done,) = take_down(root, {"0002"}, reason="the owner asked", at=AT)
    assert (done.withdrawn, done.successor, done.keys) == (("auto/v1", "auto/v2"), "auto/v3", ("0002",))
    assert [one.id for one in list_snapshots(root)] == ["auto/v3"]
    left = open_snapshot(root, "auto")
    assert keys_of(left) == [f"{n:04x}" for n in range(12) if n != 2]
    assert verify(left) == []
    assert done.written_bytes < whole.written_bytes + whole.shared_bytes
    assert sample(2).mp4.read() not in all_bytes(root)
    assert sample(3).mp4.read() in all_bytes(root)


def test_a_link_or_a_video_takes_all_its_clips(tmp_path):
    mine = [sample(n) for n in range(2)]
    other = [replace(one, record=replace(one.record, video_id="w", link="l")) for one in (sample(8), sample(9))]
    publish(tmp_path, "auto", [*mine, *other], recipe={})
    (done,) = take_down(tmp_path, {"l"}, reason="r", at=AT)
    assert done.keys == ("0008", "0009")
    (done,) = take_down(tmp_path, {"v"}, reason="r", at=AT)
    assert done.keys == ("0000", "0001")


def test_who_pins_a_withdrawn_version_is_told_why_and_where_to_go(tmp_path):
    publish(tmp_path, "auto", [sample(n) for n in range(3)], recipe={})
    take_down(tmp_path, {"0001"}, reason="the owner asked", at=AT)
    with pytest.raises(SnapshotError, match=r"the owner asked.*auto/v2"):
        open_snapshot(tmp_path, "auto/v1")


def test_versions_and_names_without_the_clip_stay_as_they_are(tmp_path):
    publish(tmp_path, "auto", [sample(1)], recipe={})
    publish(tmp_path, "auto", [sample(1), sample(2)], recipe={})
    publish(tmp_path, "curated", [sample(3)], recipe={})
    take_down(tmp_path, {"0002"}, reason="r", at=AT)
    assert [one.id for one in list_snapshots(tmp_path)] == ["auto/v1", "auto/v3", "curated/v1"]
    assert all(verify(one) == [] for one in list_snapshots(tmp_path))


def test_publishing_what_is_left_again_finds_it_there(tmp_path):
    publish(tmp_path, "auto", [sample(n) for n in range(6)], recipe={"a": 1}, clips_per_shard=4)
    take_down(tmp_path, {"0002"}, reason="r", at=AT)
    left = [sample(n) for n in range(6) if n != 2]
    assert not publish(tmp_path, "auto", left, recipe={"a": 1}, clips_per_shard=4).fresh


def test_a_number_is_never_given_twice(tmp_path):
    publish(tmp_path, "auto", [sample(1)], recipe={})
    (done,) = take_down(tmp_path, {"0001"}, reason="r", at=AT)
    assert done.successor is None
    assert list_snapshots(tmp_path) == []
    assert publish(tmp_path, "auto", [sample(2)], recipe={}).snapshot.id == "auto/v2"


def test_every_take_down_is_in_the_log_and_one_of_nothing_is_not(root):
    publish(root, "auto", [sample(1), sample(2)], recipe={})
    assert take_down(root, {"ffff"}, reason="nobody", at=AT) == []
    take_down(root, {"0002"}, reason="first", at=AT)
    take_down(root, {"0001"}, reason="second", at=AT)
    assert [(one["reason"], one["keys"], one["at"]) for one in log(root)] == [
        ("first", ["0002"], AT.isoformat()),
        ("second", ["0001"], AT.isoformat()),
    ]


def test_a_take_down_that_was_killed_is_finished_by_the_next(tmp_path):
    publish(tmp_path, "auto", [sample(n) for n in range(4)], recipe={})
    # As it is when the process dies between the note and the sweep.
    folder = open_snapshot(tmp_path, "auto").path
    (folder / "withdrawn.json").write_text('{"reason": "r", "successor": null}')
    (folder / "snapshot.json").unlink()
    take_down(tmp_path, {"0001"}, reason="r", at=AT)
    assert [path.name for path in folder.iterdir()] == ["withdrawn.json"]
