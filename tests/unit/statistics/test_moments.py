"""Mean, covariance and samples that merge: the same however their vectors were split."""

import numpy as np
import pytest

from face0.statistics.moments import LowestHashSample, Moments, name_hashes


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


@pytest.mark.parametrize("size", [1, 10, 99, 200])
def test_a_sample_is_the_rows_of_lowest_hash_whatever_the_order(size):
    hashes = name_hashes(f"row {i}" for i in range(100))
    vectors = np.arange(100.0)[:, None]
    sample = LowestHashSample.of(hashes[:0], vectors[:0], size)
    for part in np.array_split(np.random.default_rng(size).permutation(100), 13):
        sample += LowestHashSample.of(hashes[part], vectors[part], size)
        assert sum(len(found) for found, _ in sample.parts) <= 2 * size
    assert sample.vectors[:, 0].tolist() == np.argsort(hashes)[:size].tolist()


def test_hashes_stay_what_they_are():
    """A sample that is drawn again under another version is the same."""
    assert name_hashes(["", "a"]).tolist() == [13020603013274838756, 3405396810240292928]
