"""Vectors at unit length: the one home of that."""

import numpy as np

SHORTEST = 1e-12  # lengths below it are rounding


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [..., d] of floats at length 1, of the same type.

    The rule of ``torch.nn.functional.normalize``: a vector of zeros has no direction and stays zeros; one that holds
    NaN is NaN.
    """
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), SHORTEST)
