"""Pairs of images that can be compared, and samples of them."""

import numpy as np
import pytest

from face0.statistics.pairs import comparable_pairs


def test_pairs_share_neither_scene_nor_seed_and_none_is_lost():
    rng = np.random.default_rng(0)
    who, where, seeds = (axis.ravel() for axis in np.indices((4, 3, 2)))
    vectors = rng.normal(size=(24, 5))
    vectors[5] = np.nan
    pairs = comparable_pairs(vectors, who, where, seeds, rng)
    for each, same in ((pairs.within, True), (pairs.between, False)):
        first, second = each.T
        assert ((who[first] == who[second]) == same).all()
        assert (where[first] != where[second]).all()
        assert (seeds[first] != seeds[second]).all()
        assert 5 not in each
    # A row has 2 partners in each character: 4 x 6 pairs within, 6 x 12 between, less those of the missing face.
    assert (len(pairs.within), len(pairs.between)) == (4 * 6 - 2, 6 * 12 - 6)
    expected = (vectors[pairs.within[:, 0]] * vectors[pairs.within[:, 1]]).sum(axis=1)
    assert pairs.within_similarity == pytest.approx(expected)


def test_many_images_have_a_sample_of_their_pairs():
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(300), 10)
    pairs = comparable_pairs(rng.normal(size=(3000, 2)), who, np.tile(np.arange(10), 300), np.arange(3000), rng)
    assert pairs.drawn
    assert len(pairs.within) == 300 * 45
    assert 100_000 < len(pairs.between) <= 200_000
    assert (who[pairs.between[:, 0]] != who[pairs.between[:, 1]]).all()
