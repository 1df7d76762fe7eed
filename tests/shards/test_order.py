"""The order of training data is arithmetic: the same for any ranks and workers, and resumed by a number."""

from collections import Counter
from multiprocessing import get_context

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from shards.errors import BadInput, SnapshotError
from shards.order import Balanced, Shuffled, draws_of
from shards.publishing import publish
from shards.steps import StepReader
from tests.shards.conftest import sample

APART = get_context("forkserver")
"""Tests before these may have had to do with Prefect in this process, whose client does not stand a fork (3.8)."""
APART.set_forkserver_preload(["torch.utils.data", "shards.steps"])


def epoch(order, number):
    return [order.at(number * len(order) + place) for place in range(len(order))]


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8), seed=st.integers(0, 99), spread=st.integers(0, 9))
def test_every_clip_comes_once_an_epoch(sizes, seed, spread):
    order = Shuffled(sizes, seed=seed, spread=spread)
    for number in range(3):
        assert sorted(epoch(order, number)) == list(range(sum(sizes)))


def test_epochs_and_seeds_differ_and_the_same_seed_does_not():
    sizes = [50] * 4
    one, other = Shuffled(sizes, seed=1), Shuffled(sizes, seed=2)
    assert epoch(one, 0) != epoch(one, 1)
    assert epoch(one, 0) != epoch(other, 0)
    assert epoch(one, 5) == epoch(Shuffled(sizes, seed=1), 5)


def test_the_order_is_the_same_on_every_machine_and_version():
    assert epoch(Shuffled([4, 4, 4], seed=7), 0) == [8, 10, 6, 3, 2, 11, 1, 0, 4, 5, 9, 7]


def test_a_small_spread_reads_few_shards_at_a_time():
    order = Shuffled([100] * 20, seed=3, spread=2)
    drawn = epoch(order, 0)
    for first in range(0, 2000, 200):
        assert len({clip // 100 for clip in drawn[first : first + 200]}) == 2
    assert len({clip // 100 for clip in epoch(Shuffled([100] * 20, seed=3), 0)[:200]}) == 20


@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 5), st.sampled_from([1, 2, 3, 4, 6, 12]))
def test_a_step_is_the_same_for_any_number_of_ranks(clips, steps, seed, ranks):
    order = Shuffled([clips], seed=seed)
    alone = [order.at(draw) for step in range(steps) for draw in draws_of(step, batch=12)]
    shared = [
        order.at(draw)
        for step in range(steps)
        for rank in range(ranks)
        for draw in draws_of(step, batch=12, rank=rank, ranks=ranks)
    ]
    assert alone == shared


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=30), st.integers(0, 9))
def test_balanced_draws_give_each_class_its_turn_and_repeat_no_clip_too_early(labels, seed):
    order, classes = Balanced(labels, seed=seed), len(set(labels))
    drawn = [order.at(draw) for draw in range(classes * 24)]
    assert set(Counter(labels[clip] for clip in drawn).values()) == {24}
    for label in set(labels):
        members = [clip for clip in drawn if labels[clip] == label]
        size = labels.count(label)
        assert all(len(set(members[at : at + size])) == size for at in range(0, 24 - size + 1, size))


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    clips = [sample(n) for n in range(30)]
    return publish(tmp_path_factory.mktemp("steps"), "auto", clips, recipe={}, clips_per_shard=7).snapshot


def keys(batches):
    return [[record.key for record in batch] for batch in batches]


@settings(max_examples=25, deadline=None)
@given(ranks=st.sampled_from([1, 2, 3, 6]), start=st.integers(0, 12), seed=st.integers(0, 3))
def test_steps_of_all_ranks_are_the_steps_of_one_from_wherever_they_start(snapshot, ranks, start, seed):
    order = Shuffled(snapshot.shard_sizes(), seed=seed, spread=2)
    alone = StepReader(snapshot, order, batch=6)
    parts = [StepReader(snapshot, order, batch=6, rank=rank, ranks=ranks) for rank in range(ranks)]
    for step in range(start, start + 4):
        assert keys([alone[step]])[0] == [key for part in parts for key in keys([part[step]])[0]]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_data_loader_gives_the_same_steps_with_any_workers(snapshot, workers):
    order = Shuffled(snapshot.shard_sizes(), seed=4)
    reader = StepReader(snapshot, order, batch=4)
    apart = {"num_workers": workers, "multiprocessing_context": APART} if workers else {}
    loader = DataLoader(reader, batch_size=None, sampler=range(5, 11), **apart)
    assert keys(loader) == keys(reader[step] for step in range(5, 11))


def test_more_workers_than_steps_do_not_hang(snapshot):
    reader = StepReader(snapshot, Shuffled(snapshot.shard_sizes(), seed=4), batch=30)
    loader = DataLoader(reader, batch_size=None, sampler=range(1), num_workers=3, multiprocessing_context=APART)
    assert len(keys(loader)) == 1


@pytest.mark.parametrize(("batch", "rank", "ranks"), [(5, 0, 2), (0, 0, 1), (4, 2, 2), (4, -1, 2)])
def test_a_batch_that_cannot_be_shared_out_is_refused(snapshot, batch, rank, ranks):
    with pytest.raises(BadInput, match="cannot be shared out"):
        StepReader(snapshot, Shuffled([30], seed=0), batch=batch, rank=rank, ranks=ranks)


def test_a_clip_whose_bytes_changed_stops_the_reader(tmp_path):
    snapshot = publish(tmp_path, "auto", [sample(n) for n in range(4)], recipe={}).snapshot
    path = snapshot.shards()[0]
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.write_bytes(data)
    reader = StepReader(snapshot, Shuffled([4], seed=0), batch=4)
    with pytest.raises(SnapshotError, match="changed"):
        reader[0]
