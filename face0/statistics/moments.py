"""What a corpus of vectors comes to, in parts that merge in any order: mean and covariance of all, and a sample."""

import hashlib
from collections.abc import Iterable
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
        """Those of vectors [n, dim], n may be 0. Computed in float64."""
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
        """float64 [dim, dim], with count - 1 in the denominator; there must be two vectors."""
        assert self.count > 1, f"{self.count} vectors have no covariance"
        return self.scatter / (self.count - 1)


@dataclass(frozen=True, kw_only=True)
class LowestHashSample:
    """A uniform sample of vectors: those whose names have the lowest hashes, whatever was seen in which order.

    Attributes:
        size: of the sample, if there are so many.
        parts: (hashes uint64 [n], vectors [n, dim]), together at most twice ``size`` rows and one more part. A row that
            cannot be in the sample any more is dropped on the way in; the others are only sorted now and then, since to
            sort for every block would cost more than to read it.
        bound: rows with a hash above it are not among the lowest.
    """

    size: int
    parts: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    bound: int = 2**64 - 1

    @classmethod
    def of(cls, hashes: np.ndarray, vectors: np.ndarray, size: int) -> "LowestHashSample":
        """That of named vectors.

        Args:
            hashes: of their names, uint64 [n], see ``name_hashes``.
            vectors: [n, dim] of any type, which the sample keeps.
            size: of the sample.
        """
        return cls(size=size, parts=((hashes, vectors),))

    def __add__(self, other: "LowestHashSample") -> "LowestHashSample":
        bound = min(self.bound, other.bound)
        parts: list[tuple[np.ndarray, np.ndarray]] = []
        for hashes, vectors in (*self.parts, *other.parts):
            low = hashes <= np.uint64(bound)
            if low.any() or not parts:  # one part remains, to tell the dimension
                parts.append((hashes, vectors) if low.all() else (hashes[low], vectors[low]))
        merged = LowestHashSample(size=self.size, parts=tuple(parts), bound=bound)
        return merged if sum(len(hashes) for hashes, _ in parts) <= 2 * self.size else merged.sorted()

    def sorted(self) -> "LowestHashSample":
        """The same as one part of at most ``size`` rows, lowest hash first."""
        hashes = np.concatenate([hashes for hashes, _ in self.parts])
        order = np.argsort(hashes, kind="stable")[: self.size]
        vectors = np.concatenate([vectors for _, vectors in self.parts])[order]
        bound = int(hashes[order[-1]]) if len(order) == self.size else self.bound
        return LowestHashSample(size=self.size, parts=((hashes[order], vectors),), bound=bound)

    @property
    def vectors(self) -> np.ndarray:
        """[n, dim], n at most ``size``, lowest hash first: any first so many of them are a uniform sample as well."""
        return self.sorted().parts[0][1]


def name_hashes(names: Iterable[str]) -> np.ndarray:
    """The hashes of names: uint64 [n], the first eight bytes of BLAKE2b."""
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    return np.frombuffer(digests, "<u8").astype(np.uint64)
