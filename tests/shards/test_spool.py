"""Samples are read once, in any order and number: little of each stays in memory, and nothing of them is lost."""

import tracemalloc
from dataclasses import asdict

import pytest

from shards.errors import BadInput
from shards.publishing import publish
from shards.schema import Blob, Sample
from shards.spool import Contents, Spool
from tests.shards.conftest import sample


def on_disk(number, folder, **changes):
    """A sample whose media are files."""
    one = sample(number, **changes)
    blobs = []
    for kind in ("mp4", "flac"):
        data = getattr(one, kind).read()
        (path := folder / f"{number}.{kind}").write_bytes(data)
        blobs.append(Blob.at(path, size=len(data), sha256=getattr(one, kind).sha256))
    return Sample(one.record, *blobs)


def test_a_sample_comes_back_as_it_was_and_in_order_of_key(tmp_path):
    odd = {"caption": "eine Trommel\n\u2028 am Fluß", "scores": {"none": None, "nan": float("inf")}, "verdict": None}
    there = [on_disk(3, tmp_path), sample(1), on_disk(2, tmp_path, lineage={"scores": {"sync": 4}, "notes": "x"})]
    there[1] = Sample(type(there[1].record)(**asdict(there[1].record) | odd), there[1].mp4, there[1].flac)
    with Spool(iter(there), near=tmp_path) as spool:
        assert [key for key, _ in spool.contents] == ["0001", "0002", "0003"]
        for number, wanted in enumerate(sorted(there, key=lambda one: one.record.key)):
            found = spool.sample(number)
            assert found.record.to_json() == wanted.record.to_json() and found.record.to_row() == wanted.record.to_row()
            assert (found.mp4.read(), found.flac.read()) == (wanted.mp4.read(), wanted.flac.read())
            assert dict(spool.contents)[found.record.key] == found.content() == wanted.content()
        assert spool.scores == {"sync", "none", "nan"}


def test_nothing_of_a_spool_is_left_on_the_disk(tmp_path):
    with Spool([sample(1)], near=tmp_path):
        pass
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_key_that_comes_twice_is_refused_also_where_others_stand_between(tmp_path):
    with pytest.raises(BadInput, match="comes twice: 0001"):
        Spool([sample(1), sample(2), sample(1)], near=tmp_path)
    with pytest.raises(BadInput, match="comes twice"):
        Contents.of([("a", "00" * 32), ("a", "01" * 32)])


def test_contents_are_found_by_key_and_digest():
    contents = Contents.of([("b", "01" * 32), ("a", "00" * 32)])
    assert list(contents) == [("a", "00" * 32), ("b", "01" * 32)]
    assert (contents.number_of("b", "01" * 32), contents.number_of("b", "00" * 32)) == (1, None)
    assert (contents.place_of("a"), contents.place_of("aa"), contents.place_of("c")) == (0, None, None)


def test_a_clip_costs_some_hundred_bytes_of_memory_however_long_its_record(tmp_path):
    files = [Blob.at(tmp_path / "nothing", size=9, sha256="0" * 64)] * 2

    def held(clips):
        records = (sample(at, caption="w" * 2_000).record for at in range(clips))
        tracemalloc.start()
        try:
            with Spool((Sample(record, *files) for record in records), near=tmp_path) as spool:
                assert len(spool) == clips
                return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    assert (held(6_000) - held(1_000)) / 5_000 < 160


def test_samples_are_read_once_whatever_a_version_before_holds(tmp_path):
    clips = [sample(at) for at in range(9)]
    publish(tmp_path / "a", "auto", clips[:6], recipe={}, clips_per_shard=2)
    publish(tmp_path / "b", "auto", iter(clips[:6]), recipe={}, clips_per_shard=2)
    more = [publish(tmp_path / name, "auto", way(clips), recipe={}, clips_per_shard=2) for name, way in WAYS.items()]
    first, second = ({path.name: path.read_bytes() for path in one.snapshot.path.iterdir()} for one in more)
    assert first == second and more[0].shared_bytes == more[1].shared_bytes > 0


WAYS = {"a": list, "b": iter}
