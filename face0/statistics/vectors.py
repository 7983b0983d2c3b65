"""Vectors at unit length, and as they are stored: the one home of both."""

import numpy as np

SHORTEST = 1e-12  # lengths below it are rounding


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [..., d] of floats at length 1, of the same type.

    The rule of ``torch.nn.functional.normalize``: a vector of zeros has no direction and stays zeros; one that holds
    NaN is NaN.
    """
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), SHORTEST)


def as_stored(vectors: np.ndarray) -> np.ndarray:
    """Vectors of floats as shards, banks and results hold them: float32, the values rounded to those of float16.

    Half the digits compress well, and the error (2^-11 of a value) is far below that of any embedder.
    """
    return vectors.astype(np.float16).astype(np.float32)
