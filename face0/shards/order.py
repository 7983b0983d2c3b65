"""The order in which training goes through face shards: a pure function of the seed, the epoch and the row groups.

The row groups of all files are permuted, and the rows within each. This sequence is cut into LANES lanes of equal
length, to within one sample, and an epoch takes one sample from each lane in turn. So neighbours in the order come
from places far apart, about LANES row groups are open at a time, and a rank that takes every ``world``-th sample meets
the same lanes over and over: if ``world`` divides LANES it reads no others.
"""

from dataclasses import dataclass
from math import gcd

import numpy as np

from face0.runtime.random import permutation

LANES = 32  # row groups open at a time on one rank: a mix wide enough to shuffle well, and small enough to hold


@dataclass(frozen=True, kw_only=True)
class RowGroupUse:
    """A row group that is needed from one place in the epoch to another.

    Attributes:
        group: its number.
        first: place from which it is needed.
        last: place up to which, included.
    """

    group: int
    first: int
    last: int


class EpochOrder:
    """The order of the samples in one epoch.

    Args:
        sizes: int64 [groups], rows of each row group; 0 is allowed.
        seed: any integer.
        epoch: counted from 0.
    """

    def __init__(self, sizes: np.ndarray, *, seed: int, epoch: int) -> None:
        self._sizes, self._seed, self._epoch = sizes, seed, epoch
        self._groups = permutation(len(sizes), seed, epoch)
        ends = np.cumsum(sizes[self._groups])
        self._starts = ends - sizes[self._groups]
        self.samples = int(ends[-1])
        share, rest = divmod(self.samples, LANES)
        lengths = share + (np.arange(LANES) < rest)
        # Lanes that follow each other in the sequence, and may share a row group, are not neighbours in the order.
        self._lanes = permutation(LANES, seed, epoch, -1)
        self._lane_starts = np.empty(LANES, np.int64)
        self._lane_starts[self._lanes] = np.cumsum(lengths[self._lanes]) - lengths[self._lanes]

    def locate(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The row groups that samples come from, and their places among the shuffled rows of these.

        Args:
            places: int64 [n], each 0 or more and less than ``samples``.

        Returns:
            int64 [n] and int64 [n].
        """
        slots = self._lane_starts[places % LANES] + places // LANES
        at = np.searchsorted(self._starts, slots, side="right") - 1
        return self._groups[at], slots - self._starts[at]

    def rows(self, group: int) -> np.ndarray:
        """The rows of a row group, shuffled: int64 [size]."""
        return permutation(int(self._sizes[group]), self._seed, self._epoch, group)

    def uses(self, *, residue: int = 0, world: int = 1, start: int = 0) -> list[RowGroupUse]:
        """What to read, in the order of need, for the places p >= start with p % world == residue.

        A row group that two lanes share is named twice if they need it at different times.
        """
        edges = np.union1d(self._starts, self._lane_starts)
        edges = edges[edges < self.samples]
        lane = self._lanes[np.searchsorted(self._lane_starts[self._lanes], edges, side="right") - 1]
        at = np.searchsorted(self._starts, edges, side="right") - 1
        ends = np.append(edges[1:], self.samples)
        first = (edges - self._lane_starts[lane]) * LANES + lane
        last = (ends - 1 - self._lane_starts[lane]) * LANES + lane
        common = gcd(world, LANES)
        mine = (lane % common == residue % common) & (last >= start)
        groups, first, last = _merged(self._groups[at][mine], np.maximum(first, start)[mine], last[mine])
        order = np.lexsort((groups, first))
        columns = (column[order].tolist() for column in (groups, first, last))
        return [RowGroupUse(group=group, first=begin, last=end) for group, begin, end in zip(*columns, strict=True)]


def _merged(groups: np.ndarray, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joins the intervals of one row group that overlap."""
    if not len(groups):
        return groups, first, last
    order = np.lexsort((first, groups))
    groups, first, last = groups[order], first[order], last[order]
    apart = groups.astype(np.int64) * (int(last.max()) + 1)  # so that those of different groups never overlap
    latest = np.maximum.accumulate(last + apart)
    begins = np.flatnonzero(np.append(True, (first + apart)[1:] > latest[:-1]))
    return groups[begins], first[begins], np.maximum.reduceat(last, begins)
