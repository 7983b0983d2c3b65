"""Shares of variance, where it is known what makes faces differ."""

import numpy as np
import pytest

from face0.statistics.variance import variance_shares
from tests.fixtures.audit_simulation import World, crossed, paired, without_vector


def mean_shares(world: World, design, count: int = 30) -> dict[str, float]:
    found = [variance_shares(world.faces(design, np.random.default_rng(i)), design, 2) for i in range(count)]
    return {name: float(np.mean([shares[name][0] for shares in found])) for name in found[0]}


def test_vector_seed_and_noise_have_their_parts():
    shares = mean_shares(World(vector=2, seed=1, noise=2), crossed(3, 8, 8))
    assert shares["face"] == pytest.approx(4 / 9, abs=0.05)
    assert shares["seed"] == pytest.approx(1 / 9, abs=0.03)
    assert shares["words"] == pytest.approx(0, abs=0.01)


def test_words_have_theirs():
    world, design = World(words=1, vector=1, noise=1), crossed(12, 5, 5)
    expected = world.word_effects(12).var(axis=0, ddof=1).mean()
    assert mean_shares(world, design)["words"] == pytest.approx(expected / (expected + 2), abs=0.05)


def test_what_a_design_cannot_tell_apart_is_one_share():
    world, rng = World(), np.random.default_rng(0)
    assert variance_shares(world.faces(paired(3, 8), rng), paired(3, 8), 2).keys() == {"words", "face_and_seed"}
    bare = without_vector(3, 8)
    assert variance_shares(world.faces(bare, rng), bare, 2).keys() == {"words", "seed"}


def test_draws_spread_as_the_share_does_from_one_set_of_vectors_to_the_next():
    world, design = World(vector=2, seed=0, noise=2), crossed(3, 12, 12)
    found = [variance_shares(world.faces(design, np.random.default_rng(i)), design, 100)["face"] for i in range(30)]
    spread = np.std([value for value, _ in found])
    assert np.mean([draws.std() for _, draws in found]) == pytest.approx(spread, rel=0.4)
