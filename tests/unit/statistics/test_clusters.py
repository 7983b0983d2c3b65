"""Clusters of faces, and the entropy of their shares."""

import numpy as np
import pytest

from face0.statistics.clusters import cluster_centres, divergence, entropy, nearest
from face0.statistics.vectors import unit


def test_entropy_and_divergence_are_unbiased_in_small_samples():
    rng = np.random.default_rng(0)
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    samples = rng.multinomial(25, shares, size=(2, 4000))
    assert entropy(samples[0]).mean() == pytest.approx(-(shares * np.log2(shares)).sum(), abs=0.015)
    assert divergence(samples[0], samples[1]).mean() == pytest.approx(0, abs=0.008)  # 0.043 without the correction
    assert divergence(np.array([[9, 0]]), np.array([[0, 7]]))[0] == pytest.approx(1)
    assert np.isnan(entropy(np.array([0, 0])))


def test_clusters_are_found_and_do_not_depend_on_the_try():
    rng = np.random.default_rng(0)
    kinds = np.eye(6)[:3]
    reference = unit(kinds[np.arange(90) % 3] + 0.1 * rng.normal(size=(90, 6))).astype(np.float32)
    centres = cluster_centres(reference, 3)
    assert len({tuple(nearest(kinds, centres))}) == 1
    assert sorted(nearest(kinds, centres)) == [0, 1, 2]
    assert np.array_equal(centres, cluster_centres(reference, 3))
