"""From conditioning vectors to identity vectors, whose cosine tells people apart."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Identity = Callable[[np.ndarray], np.ndarray]
"""Conditioning vectors, float32 [n, dim], to identity vectors, float32 [n, d] of unit length."""


def identity_of(embedder: Mapping[str, Any], weights: str | None = None) -> Identity:
    """Loads what makes identity vectors of the vectors of an embedder.

    Those of ONNX models need no model: they are the vectors themselves, at unit length.

    Args:
        embedder: name and SHA-256 of the weights, as in the metadata of shards, banks and spaces.
        weights: URI, where the weights are not in their usual place.

    Raises:
        UsageError: the weights are not there, or are others.
    """
    from face0.embedders.specification import embedder_config  # takes torch, which command lines do without

    config = embedder_config(embedder.get("name", ""), weights=weights, sha256=embedder.get("sha256") or None)
    return config.load_identity("cpu")
