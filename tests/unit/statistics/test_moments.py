"""Mean and covariance that merge: the same however their vectors were split."""

import numpy as np
import pytest

from face0.statistics.moments import Moments


def test_merged_moments_are_numpys_far_from_zero_too():
    vectors = 1e6 + np.random.default_rng(0).normal(size=(50, 3))
    parts = [Moments.of(part) for part in np.split(vectors, [1, 7, 7, 30])]
    merged = parts[4] + (parts[0] + parts[2]) + (parts[1] + parts[3])
    assert merged.count == 50
    assert merged.mean == pytest.approx(vectors.mean(axis=0), rel=1e-14)
    assert merged.covariance() == pytest.approx(np.cov(vectors.T), rel=1e-6)


def test_one_vector_has_no_covariance():
    with pytest.raises(AssertionError, match="1 vectors have no covariance"):
        Moments.of(np.ones((1, 2))).covariance()
