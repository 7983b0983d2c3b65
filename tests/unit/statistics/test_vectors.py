"""Unit vectors: one rule for zeros and for NaN."""

import numpy as np
import pytest
import torch

from face0.statistics.vectors import as_stored, unit


def test_zeros_stay_zeros_nan_stays_nan_and_all_else_has_length_one() -> None:
    vectors = np.array([[3, 4], [0, 0], [np.nan, 1], [1e-30, 0], [-2e9, 0]], np.float32)
    found = unit(vectors)
    np.testing.assert_allclose(found[[0, 1, 4]], [[0.6, 0.8], [0, 0], [-1, 0]], rtol=1e-6)
    assert np.isnan(found[2]).all()
    assert abs(found[3]).max() < 1e-6  # what is left by rounding points nowhere
    assert found.dtype == np.float32


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_it_is_torchs_rule(kind: type) -> None:
    vectors = np.random.default_rng(0).normal(size=(2, 5, 7)).astype(kind)
    vectors[0, 0], vectors[1, 1, 3] = 0, np.nan
    expected = torch.nn.functional.normalize(torch.from_numpy(vectors), dim=-1).numpy()
    np.testing.assert_allclose(unit(vectors), expected, rtol=1e-6)


def test_vectors_are_stored_with_the_digits_of_float16() -> None:
    vectors = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    stored = as_stored(vectors)
    assert stored.dtype == np.float32
    assert np.array_equal(stored, vectors.astype(np.float16))
    assert np.array_equal(as_stored(stored), stored)
