"""Whether generated faces follow the vector they were made from."""

import numpy as np
import pytest

from face0.statistics.fidelity import follows_input, follows_vector
from face0.statistics.vectors import unit
from tests.fixtures.audit_simulation import World, crossed, paired


def test_faces_that_follow_their_input_win_against_all_others():
    rng = np.random.default_rng(0)
    inputs, names = unit(rng.normal(size=(10, 16))), np.arange(10).astype(str)
    face = np.tile(names, 5)
    close = unit(inputs[np.tile(np.arange(10), 5)] + 0.1 * rng.normal(size=(50, 16)))
    assert (follows_input(close, face, inputs, names) == 1).all()
    assert follows_input(unit(rng.normal(size=(50, 16))), face, inputs, names).mean() == pytest.approx(0.5, abs=0.15)
    assert np.isnan(follows_input(close[:1], np.array(["unknown"]), inputs, names)).all()


def test_a_seed_alone_is_not_taken_for_the_vector():
    design = crossed(5, 6, 6)
    rng = np.random.default_rng(0)
    won, apart = follows_vector(World(vector=0, seed=2).faces(design, rng), design)
    assert apart
    assert won.mean() == pytest.approx(0.5, abs=0.05)
    won, _ = follows_vector(World(vector=2, seed=0).faces(design, rng), design)
    assert won.mean() > 0.95
    assert not follows_vector(World().faces(paired(3, 6), rng), paired(3, 6))[1]
