"""Which clip a sample is: every clip equally often, whoever asks, from wherever one goes on."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shards.errors import BadInput
from training.data.plan import Balanced, Replayed, Shuffled
from training.parallel import World


@given(st.integers(1, 40), st.integers(0, 5), st.integers(0, 3))
def test_an_epoch_shows_every_clip_once_and_each_epoch_another_order(clips, seed, epoch):
    plan = Shuffled(clips, seed, "p")
    order = [plan.number(n) for n in range(epoch * clips, (epoch + 1) * clips)]
    assert sorted(order) == list(range(clips))
    if clips > 20:
        assert order != [plan.number(n) for n in range((epoch + 1) * clips, (epoch + 2) * clips)]


@given(st.lists(st.sampled_from("abc"), min_size=3, max_size=30))
def test_balanced_shows_classes_equally_often_and_all_of_their_clips(labels):
    codes = np.array(["abc".index(label) for label in labels])
    plan, classes = Balanced(codes, "abc", 0, "p"), len(set(labels))
    rounds = 2 * max(Counter(labels).values())
    numbers = [plan.number(n) for n in range(rounds * classes)]
    assert set(Counter(labels[number] for number in numbers).values()) == {rounds}
    assert set(numbers) == set(range(len(labels)))


def test_a_share_is_replayed_from_what_was_seen_before():
    plan = Replayed(Shuffled(10, 0, "p"), Shuffled(100, 0, "q"), first=10, share=0.2, seed=0, purpose="p")
    numbers = [plan.number(n) for n in range(2000)]
    assert 0.17 < sum(number >= 10 for number in numbers) / 2000 < 0.23
    assert max(numbers) < 110 and numbers == [plan.number(n) for n in range(2000)]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_ranks_together_see_what_one_would(size):
    slices = [World(rank, size, "cpu").slice(range(24, 32)) for rank in range(size)]
    assert [sample for part in slices for sample in part] == list(range(24, 32))


def test_a_batch_that_cannot_be_dealt_out_is_refused():
    with pytest.raises(BadInput, match="multiple of 3"):
        World(0, 3, "cpu").slice(range(8))


@given(st.integers(1, 30), st.integers(1, 6))
def test_shared_items_are_all_done_and_every_rank_has_equally_many(count, size):
    shares = [World(rank, size, "cpu").share(count) for rank in range(size)]
    assert len({len(share) for share in shares}) == 1
    assert [n for share in shares for n in share][:count] == list(range(count))
