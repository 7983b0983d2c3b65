"""The order of training: a permutation of all samples, the same for any number of ranks, that mixes well."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from face0.runtime.random import permutation
from face0.shards.order import LANES, EpochOrder

SIZES = st.lists(st.integers(0, 90), min_size=1, max_size=40).filter(any)
SEEDS = st.integers(-(2**70), 2**70)
WORLDS = st.sampled_from([1, 2, 3, 4, 6, 8, 32, 48, 64])


def order_of(sizes: list[int], seed: int = 0, epoch: int = 0) -> EpochOrder:
    return EpochOrder(np.array(sizes), seed=seed, epoch=epoch)


def sequence(order: EpochOrder) -> list[tuple[int, int]]:
    """The samples of an epoch in order, as (row group, row)."""
    groups, offsets = order.locate(np.arange(order.samples))
    rows = {group: order.rows(group) for group in set(groups.tolist())}
    return [(g, int(rows[g][o])) for g, o in zip(groups.tolist(), offsets.tolist(), strict=True)]


@given(SIZES, SEEDS, st.integers(0, 10**6))
def test_an_epoch_holds_every_sample_once(sizes, seed, epoch):
    found = sequence(order_of(sizes, seed, epoch))
    assert sorted(found) == [(group, row) for group, size in enumerate(sizes) for row in range(size)]


@given(SIZES, SEEDS, WORLDS, st.data())
def test_each_sample_is_within_a_use_of_its_row_group(sizes, seed, world, data):
    order = order_of(sizes, seed)
    residue = data.draw(st.integers(0, world - 1))
    start = data.draw(st.integers(0, order.samples))
    uses = order.uses(residue=residue, world=world, start=start)
    assert [use.first for use in uses] == sorted(use.first for use in uses)
    places = np.arange(order.samples)
    places = places[(places >= start) & (places % world == residue)]
    for place, group in zip(places.tolist(), order.locate(places)[0].tolist(), strict=True):
        assert sum(use.group == group and use.first <= place <= use.last for use in uses) == 1


@given(SIZES, SEEDS, st.sampled_from([1, 2, 4, 8, 16, 32]), st.data())
def test_a_rank_reads_just_what_it_trains_on_if_the_ranks_divide_the_lanes(sizes, seed, world, data):
    order = order_of(sizes, seed)
    residue = data.draw(st.integers(0, world - 1))
    start = data.draw(st.integers(0, order.samples))
    places = np.arange(order.samples)
    places = places[(places >= start) & (places % world == residue)]
    read = {use.group for use in order.uses(residue=residue, world=world, start=start)}
    assert read == set(order.locate(places)[0].tolist())


def test_few_row_groups_are_read_twice():
    sizes = [256] * 400
    uses = order_of(sizes).uses()
    assert len(uses) <= len(sizes) + LANES - 1
    per_rank = [len(order_of(sizes).uses(residue=rank, world=8)) for rank in range(8)]
    assert sum(per_rank) <= len(sizes) + LANES - 1
    assert max(per_rank) - min(per_rank) <= 4


def test_a_row_group_that_many_lanes_share_is_read_once():
    assert Counter(use.group for use in order_of([500, 500, 500]).uses()).most_common(1)[0][1] == 1


def test_about_as_many_row_groups_are_open_as_there_are_lanes():
    uses = order_of([256] * 400).uses()
    for place in range(0, 400 * 256, 1111):
        assert sum(use.first <= place <= use.last for use in uses) <= LANES + 1


def test_seeds_and_epochs_differ():
    sizes = [50] * 20
    orders = [sequence(order_of(sizes, seed, epoch)) for seed, epoch in ((0, 0), (0, 1), (1, 0), (1, 1), (-1, 0))]
    for i, one in enumerate(orders):
        for other in orders[:i]:
            assert sum(a == b for a, b in zip(one, other, strict=True)) < 20  # 1 expected


@pytest.mark.parametrize("sizes", [[1000], [200] * 5, [256, 256, 256, 232] * 12, [20] * 200])
def test_neighbours_in_the_order_come_from_anywhere(sizes):
    """The correlation of ranks between each sample and the next, and between place and source."""
    begins = np.cumsum([0, *sizes])
    neighbours, places = [], []
    for seed in range(12):
        numbers = np.array([begins[group] + row for group, row in sequence(order_of(sizes, seed))])
        neighbours.append(np.corrcoef(numbers[:-1], numbers[1:])[0, 1])
        places.append(np.corrcoef(numbers, np.arange(len(numbers)))[0, 1])
    assert max(map(abs, neighbours)) < 0.45  # for one seed about 1 / sqrt(LANES)
    assert abs(np.mean(neighbours)) < 0.1
    assert max(map(abs, places)) < 0.25
    assert abs(np.mean(places)) < 0.06


def test_the_rows_of_a_row_group_are_shuffled_anew_each_epoch():
    first, second = (order_of([200, 200], epoch=epoch).rows(0) for epoch in (0, 1))
    other = order_of([200, 200]).rows(1)
    for one, another in ((first, second), (first, other), (first, np.arange(200))):
        assert abs(np.corrcoef(one, another)[0, 1]) < 0.3  # chance: 0.07


def test_a_batch_comes_from_many_row_groups():
    groups, _ = order_of([256] * 400).locate(np.arange(64))
    assert len(set(groups.tolist())) >= 30


def test_the_order_stays_what_it_is():
    """A run that is resumed under another version goes on where it stood."""
    assert permutation(10, 3, 1).tolist() == [0, 1, 7, 3, 8, 5, 6, 9, 4, 2]
    assert permutation(0, 1).tolist() == []
    groups, offsets = order_of([3, 0, 40, 7], seed=5, epoch=2).locate(np.arange(12))
    assert groups.tolist() == [2, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0]
    assert offsets.tolist() == [37, 2, 18, 35, 15, 24, 30, 12, 3, 1, 9, 0]


@given(st.integers(1, 200), SEEDS, st.integers(0, 9))
def test_a_permutation_is_one(size, seed, name):
    assert sorted(permutation(size, seed, name).tolist()) == list(range(size))
