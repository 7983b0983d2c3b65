"""Face vectors of results."""

import numpy as np
import pyarrow as pa

from face0.evaluation.vectors import result_vectors


def test_rows_without_a_vector_or_with_zeros_are_nan() -> None:
    column = pa.chunked_array([pa.array([[3.0, 4.0], None]), pa.array([[0.0, 0.0], [0.0, -2.0]])])
    expected = [[0.6, 0.8], [np.nan, np.nan], [np.nan, np.nan], [0, -1]]
    found = result_vectors(column)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32
    assert result_vectors(pa.chunked_array([pa.array([None, None], pa.list_(pa.float32()))])) is None
