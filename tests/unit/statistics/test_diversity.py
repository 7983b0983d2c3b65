"""Effective numbers of faces, on samples whose answer is known."""

import numpy as np
import pytest

from face0.statistics.diversity import diversity, effective_numbers
from face0.statistics.vectors import unit


def test_diversity_counts_wholly_different_faces():
    apart = np.eye(5)
    assert effective_numbers(apart)[0] == pytest.approx(5)
    assert effective_numbers(np.repeat(apart[:2], 3, axis=0))[0] == pytest.approx(2)
    same = np.tile(apart[0], (6, 1))
    assert effective_numbers(same) == pytest.approx((1, 1))
    line = unit(np.array([[1, t] for t in np.linspace(-0.01, 0.01, 9)]))
    assert effective_numbers(line)[1] == pytest.approx(1, abs=0.05)


def test_diversity_is_of_samples_of_one_size():
    rng = np.random.default_rng(0)
    vectors = unit(rng.normal(size=(260, 40)))
    prompt = np.repeat([0, 1, 2], [200, 50, 10])
    found = diversity(vectors, prompt, 4, size=20)
    assert found[0, 0] == pytest.approx(found[0, 1], rel=0.03)
    assert np.isnan(found[:, 2:]).all()
