"""Shards hold equally many clips and nearly equally many bytes, whatever comes in whatever order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shards.packing import pack, spread


def weights(shards, sizes):
    return [sum(sizes[key] for key in shard) for shard in shards]


@given(
    sizes=st.dictionaries(st.text("abc", max_size=6), st.integers(0, 10**9)), clips=st.integers(1, 9), data=st.data()
)
def test_every_clip_lies_in_one_shard_counts_are_equal_and_order_does_not_matter(sizes, clips, data):
    shards = pack(sizes, clips_per_shard=clips)
    assert sorted(key for shard in shards for key in shard) == sorted(sizes)
    counts = [len(shard) for shard in shards]
    assert not counts or (max(counts) <= clips and max(counts) - min(counts) <= 1)
    other = dict(data.draw(st.permutations(list(sizes.items()))))
    assert pack(other, clips_per_shard=clips) == shards


@pytest.mark.parametrize("clips", [64, 256])
@pytest.mark.parametrize("seed", range(4))
def test_bytes_of_real_looking_clips_differ_by_less_than_two_per_cent(clips, seed):
    drawn = np.random.default_rng(seed).lognormal(13, 0.8, 5000).astype(int)
    sizes = {f"{number:05d}": int(size) for number, size in enumerate(drawn)}
    assert spread(weights(pack(sizes, clips_per_shard=clips), sizes)) <= 0.02


def test_one_giant_among_dwarfs_cannot_be_balanced_and_is_still_packed():
    sizes = {f"{n}": 1 for n in range(9)} | {"giant": 1000}
    shards = pack(sizes, clips_per_shard=5)
    assert [len(shard) for shard in shards] == [5, 5]
