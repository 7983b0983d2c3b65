"""The face vectors of result rows as one array."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from face0.statistics.vectors import unit


def result_vectors(
    column: pa.ChunkedArray, identity: Callable[[np.ndarray], np.ndarray] | None = None
) -> np.ndarray | None:
    """A column of lists of numbers as unit vectors: float32 [n, d]; None if no row has any.

    NaN in rows without one, and in those whose vector is all zeros, for no face is like that.

    Args:
        column: ``face_vector`` or ``judge_vector`` of ``schemas.requests.RESULTS``.
        identity: from conditioning vectors, float32 [m, dim], to identity vectors [m, d]; None: they are as they are.
    """
    known = np.flatnonzero(column.is_valid().to_numpy())
    if not len(known):
        return None
    found = np.stack([np.asarray(vector, np.float32) for vector in column.drop_null().to_pylist()])
    found = unit(found if identity is None else identity(found))
    vectors = np.full((len(column), found.shape[1]), np.nan, np.float32)
    vectors[known] = np.where(found.any(axis=1, keepdims=True), found, np.nan)
    return vectors
