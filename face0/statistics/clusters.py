"""Kinds of faces, fixed before a face was made: the clusters of a reference, and how the faces of prompts fill them."""

import numpy as np
from sklearn.cluster import KMeans

from face0.statistics.vectors import unit


def cluster_centres(reference: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Centres of k-means (scikit-learn) of unit vectors [m, d], at length 1: float32 [count, d].

    Args:
        reference: the unit vectors, ``count`` or more.
        count: clusters.
        seed: of the k-means starts.
    """
    return unit(KMeans(count, n_init=4, random_state=seed).fit(reference).cluster_centers_).astype(np.float32)


def nearest(vectors: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The nearest centre of each of the unit vectors [n, d]: int [n]."""
    return np.argmax(vectors @ centres.T, axis=1)


def entropy(counts: np.ndarray) -> np.ndarray:
    """Entropy in bits of counts [..., clusters], with Miller's correction (1955) for small samples: float64 [...].

    A sample's own entropy is too low by about (clusters that occur - 1) / 2n nats. NaN without any.
    """
    return _entropy(*_shares(counts))


def divergence(counts: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence in bits (Lin 1991) of two tables of counts [..., clusters]: float64 [...], about 0..1.

    H((p + q) / 2) - H(p) / 2 - H(q) / 2, each entropy corrected to the same order as ``entropy`` is, so that samples of
    one distribution come out about 0 on average, and now and then below.

    >>> float(divergence(np.array([40, 0]), np.array([0, 70])))  # nothing in common
    1.0
    """
    (p, p_variance), (q, q_variance) = _shares(counts), _shares(others)
    middle = _entropy((p + q) / 2, (p_variance + q_variance) / 4)
    return middle - _entropy(p, p_variance) / 2 - _entropy(q, q_variance) / 2


def _shares(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of counts, and their sampling variances, both [..., clusters]."""
    total = counts.sum(axis=-1, keepdims=True).astype(float)
    total[total == 0] = np.nan
    shares = counts / total
    return shares, shares * (1 - shares) / total


def _entropy(shares: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Entropy of shares, in bits, plus what it is too low by (second-order delta method)."""
    safe = np.where(shares > 0, shares, 1)
    nats = (-shares * np.log(safe) + np.where(shares > 0, variances, 0) / (2 * safe)).sum(axis=-1)
    return nats / np.log(2)
