"""Shards hold equally many clips and nearly equally many bytes, whatever comes in whatever order."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shards.packing import pack, spread


def weights(shards, sizes):
    return [sum(sizes[number] for number in shard) for shard in shards]


@given(sizes=st.lists(st.integers(0, 10**9), max_size=60), clips=st.integers(1, 9))
def test_every_clip_lies_in_one_shard_in_order_and_counts_are_equal(sizes, clips):
    shards = pack(sizes, clips_per_shard=clips)
    assert sorted(number for shard in shards for number in shard) == list(range(len(sizes)))
    assert all(list(shard) == sorted(shard) for shard in shards)
    counts = [len(shard) for shard in shards]
    assert not counts or (max(counts) <= clips and max(counts) - min(counts) <= 1)


def test_what_was_packed_once_is_packed_like_that_for_ever():
    """Else the same clips would be other bytes in another version."""
    drawn = np.random.default_rng(1).lognormal(8, 0.8, 2000).astype(int)
    shards = pack([int(size) for size in drawn], clips_per_shard=64)
    assert hashlib.sha256(repr([list(shard) for shard in shards]).encode()).hexdigest()[:16] == "a724470a35c9bdd7"


@pytest.mark.parametrize("clips", [64, 256])
@pytest.mark.parametrize("seed", range(4))
def test_bytes_of_real_looking_clips_differ_by_less_than_two_per_cent(clips, seed):
    drawn = np.random.default_rng(seed).lognormal(13, 0.8, 5000).astype(int)
    sizes = [int(size) for size in drawn]
    assert spread(weights(pack(sizes, clips_per_shard=clips), sizes)) <= 0.02


def test_one_giant_among_dwarfs_cannot_be_balanced_and_is_still_packed():
    shards = pack([1] * 9 + [1000], clips_per_shard=5)
    assert [len(shard) for shard in shards] == [5, 5]
