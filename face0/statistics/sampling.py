"""Uniform samples in parts that merge in any order: the lowest hashes of names."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class LowestHashSample:
    """A uniform sample of rows: those whose names have the lowest hashes, in whatever order they come.

    Attributes:
        size: of the sample, if there are so many.
        parts: (hashes uint64 [n], rows [n, ...]), together at most twice ``size`` rows and one more part. A row that
            cannot be in the sample any more is dropped on the way in; the others are only sorted now and then, since to
            sort for every block would cost more than to read it.
        bound: rows with a hash above it are not among the lowest.
    """

    size: int
    parts: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    bound: int = 2**64 - 1

    @classmethod
    def of(cls, hashes: np.ndarray, rows: np.ndarray, size: int) -> "LowestHashSample":
        """Makes the sample of named rows.

        Args:
            hashes: of their names, uint64 [n], see ``name_hashes``.
            rows: [n, ...] of any type, a structured one too, which the sample keeps.
            size: of the sample.
        """
        return cls(size=size, parts=((hashes, rows),))

    def __add__(self, other: "LowestHashSample") -> "LowestHashSample":
        bound = min(self.bound, other.bound)
        parts: list[tuple[np.ndarray, np.ndarray]] = []
        for hashes, rows in (*self.parts, *other.parts):
            low = hashes <= np.uint64(bound)
            if low.any() or not parts:  # one part remains, to tell shape and type
                parts.append((hashes, rows) if low.all() else (hashes[low], rows[low]))
        merged = LowestHashSample(size=self.size, parts=tuple(parts), bound=bound)
        return merged if sum(len(hashes) for hashes, _ in parts) <= 2 * self.size else merged.sorted()

    def sorted(self) -> "LowestHashSample":
        """Gives the sample as one part of at most ``size`` rows, lowest hash first."""
        hashes = np.concatenate([hashes for hashes, _ in self.parts])
        order = np.argsort(hashes, kind="stable")[: self.size]
        rows = np.concatenate([rows for _, rows in self.parts])[order]
        bound = int(hashes[order[-1]]) if len(order) == self.size else self.bound
        return LowestHashSample(size=self.size, parts=((hashes[order], rows),), bound=bound)

    @property
    def rows(self) -> np.ndarray:
        """The rows, [n, ...], n at most ``size``, lowest hash first: the first k of them are a uniform sample too."""
        return self.sorted().parts[0][1]


def name_hashes(names: Iterable[str]) -> np.ndarray:
    """The hashes of names: uint64 [n], the first eight bytes of BLAKE2b."""
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    return np.frombuffer(digests, "<u8").astype(np.uint64)
