"""Vectors at unit length: the one home of that."""

import numpy as np


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [n, d] at length 1; NaN where the length is 0."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, np.nan)
