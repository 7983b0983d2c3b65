"""Vectors of result rows as an array."""

import numpy as np
import pyarrow as pa
import pytest

from face0.evaluation.vectors import result_vectors


def test_rows_without_a_face_are_nan_and_the_others_have_unit_length():
    kind = pa.list_(pa.float16())
    column = pa.chunked_array([pa.array([None, np.float16([3, 4])], kind), pa.array([np.float16([0, -2])], kind)])
    vectors = result_vectors(column)
    assert vectors.dtype == np.float32
    assert np.isnan(vectors[0]).all()
    assert vectors[1:] == pytest.approx(np.array([[0.6, 0.8], [0, -1]]))


def test_a_column_without_any_is_none():
    assert result_vectors(pa.chunked_array([pa.nulls(3, pa.list_(pa.float16()))])) is None
