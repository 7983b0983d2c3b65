"""Mean and covariance of many vectors, in parts that merge in any order."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Count, mean and centred sums of squares of vectors. Merged by the formula of Chan, Golub and LeVeque (1979).

    Attributes:
        count: of the vectors.
        mean: float64 [dim]; zeros if there is none.
        scatter: float64 [dim, dim], the sum of (x - mean)(x - mean)^T.
    """

    count: int
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray) -> "Moments":
        """Computes the moments of vectors [n, dim], n may be 0, in float64."""
        count, dim = vectors.shape
        if not count:
            return cls(count=0, mean=np.zeros(dim), scatter=np.zeros((dim, dim)))
        values = vectors.astype(np.float64)
        mean = values.mean(axis=0)
        values -= mean
        return cls(count=count, mean=mean, scatter=values.T @ values)

    def __add__(self, other: "Moments") -> "Moments":
        count = self.count + other.count
        if not self.count or not other.count:
            return other if other.count else self
        apart = other.mean - self.mean
        return Moments(
            count=count,
            mean=self.mean + apart * (other.count / count),
            scatter=self.scatter + other.scatter + np.outer(apart, apart * (self.count * (other.count / count))),
        )

    def covariance(self) -> np.ndarray:
        """The covariance, float64 [dim, dim], with count - 1 in the denominator; there must be two vectors."""
        assert self.count > 1, f"{self.count} vectors have no covariance"
        return self.scatter / (self.count - 1)
