"""Designs: which images share what, and what is therefore drawn, folded and exchanged together."""

import numpy as np
import pytest

from face0.statistics.design import BLOCK, FACE, SEED, Design, share_groups
from tests.fixtures.audit_simulation import crossed, paired, without_vector


def test_vectors_with_seeds_of_their_own_are_one_factor():
    design = paired(3, 8, seeds_each=2)
    assert list(design.factors) == [BLOCK]
    assert design.clusters == 8
    assert list(crossed(3, 8, 6).factors) == [SEED, FACE]
    assert list(without_vector(3, 8).factors) == [SEED]


def test_arms_without_a_vector_are_grouped_as_the_others_are():
    random, base = share_groups([paired(3, 8, seeds_each=2), without_vector(3, 16)])
    assert random.clusters == base.clusters == 8
    assert np.array_equal(random.weights(9, 0), base.weights(9, 0))
    other_seeds = without_vector(3, 17)
    assert share_groups([paired(3, 8, seeds_each=2), other_seeds])[1].clusters == 17


@pytest.mark.parametrize("design", [paired(4, 10), crossed(4, 6, 7), without_vector(4, 10)])
def test_no_seed_or_vector_is_on_both_sides_of_a_fold(design: Design):
    tested = np.zeros(len(design.seed), int)
    for train, test in design.folds(5, seed=0):
        tested[test] += 1
        for levels in design.factors.values():
            assert not set(levels[train]) & set(levels[test])
    assert (tested == 1).all()


def test_blocks_are_of_rows_that_differ_in_their_prompt_only():
    design = crossed(4, 3, 5)
    for block in np.unique(design.blocks):
        mine = design.blocks == block
        assert mine.sum() == 4
        assert len(set(design.seed[mine])) == len(set(design.face[mine])) == 1
    # A vector of its own for every image: those of a seed.
    own = Design(design.prompt, design.seed, np.arange(60).astype(str), 4)
    assert np.array_equal(np.unique(own.blocks, return_inverse=True)[1], design.seed)
