"""Which rows of face shards are trained on, and which are kept for evaluation."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from face0.runtime.concurrency import ordered_map
from face0.runtime.progress import tracked
from face0.shards.columns import EMBEDDINGS, FACE, face_embeddings, face_field
from face0.shards.files import iter_columns
from face0.shards.shard import Shard
from face0.statistics.sampling import LowestHashSample, name_hashes
from face0.statistics.vectors import unit

T = TypeVar("T")

SCANNERS = 16  # threads that read the light columns, mostly waiting for storage


@dataclass(frozen=True, kw_only=True)
class RowFilter:
    """Which rows are trained on. 0 is no limit; a row without a face fails a limit on faces.

    Attributes:
        min_face: pixels of the stored image: shorter side of the largest face's box.
        min_score: of the largest face, 0..1.
        min_caption: characters.
    """

    min_face: float = 0.0
    min_score: float = 0.0
    min_caption: int = 0

    @property
    def columns(self) -> list[str]:
        """The columns that the limits look at."""
        limits = {"caption": self.min_caption, f"{FACE}box": self.min_face, f"{FACE}score": self.min_score}
        return [name for name, limit in limits.items() if limit]


@dataclass(frozen=True, kw_only=True)
class Holdout:
    """Which of the rows that pass the filter are kept for evaluation, and with whom nothing is trained.

    Attributes:
        count: how many are held out: those with the lowest hash of their key.
        similarity: a row whose largest face has a cosine over this to a held-out row's shows the same person, probably,
            and is not trained on either. Cosine of the embeddings less the mean of all.
    """

    count: int = 256
    similarity: float = 0.4


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What became of the rows of some shards.

    Attributes:
        bits: for each row group, packed (``np.packbits``): which rows are trained on.
        sizes: int64 [groups], their number.
        held: int64 [n, 2]: row group and row of the held-out rows, lowest hash first.
        summary: in words, how many rows there are and what became of them.
    """

    bits: list[np.ndarray]
    sizes: np.ndarray
    held: np.ndarray
    summary: str


@dataclass(frozen=True, kw_only=True)
class _Candidates:
    """Rows that may be held out, by the hashes of their keys, and what is to be known for the mean of all.

    Attributes:
        sample: of rows with ``place``, int64 [2], row group and row, and ``vector``, float32 [dim], see ``_vectors``.
        total: sum of the vectors of all rows that have a face, float64 [dim].
        count: number of these.
    """

    sample: LowestHashSample
    total: np.ndarray
    count: int

    @classmethod
    def of(cls, places: np.ndarray, keys: Sequence[str], vectors: np.ndarray, size: int) -> "_Candidates":
        """Makes the candidates among n rows, of which at most ``size`` are to be held out."""
        rows = np.empty(len(places), [("place", np.int64, 2), ("vector", np.float32, vectors.shape[1])])
        rows["place"], rows["vector"] = places, vectors
        with_face = vectors[~np.isnan(vectors[:, 0])]
        sample = LowestHashSample.of(name_hashes(keys), rows, size)
        return cls(sample=sample, total=with_face.sum(axis=0, dtype=np.float64), count=len(with_face))

    def __add__(self, other: "_Candidates") -> "_Candidates":
        return _Candidates(
            sample=self.sample + other.sample, total=self.total + other.total, count=self.count + other.count
        )


def select_rows(shards: Sequence[Shard], rows: RowFilter, holdout: Holdout) -> Selection:
    """Chooses among the rows of the shards. Reads the columns that this takes; raises UsageError if it cannot."""
    sizes = [size for shard in shards for size in shard.group_sizes]
    bits = [np.packbits(np.ones(size, bool)) for size in sizes]
    if rows != RowFilter():
        bits = list(itertools.chain.from_iterable(_scan(lambda at: _passing(at[1], rows), shards)))
    passing = sum(map(_count, bits))
    held = np.empty((0, 2), np.int64)
    if holdout.count and passing:
        candidates = reduce(add, _scan(lambda at: _candidates(*at, bits, holdout.count), shards))
        held = candidates.sample.rows["place"]
        strangers = _scan(lambda at: _strangers(*at, bits, candidates, holdout.similarity), shards)
        bits = list(itertools.chain.from_iterable(strangers))
    left = np.array([_count(packed) for packed in bits], np.int64)
    return Selection(
        bits=bits,
        sizes=left,
        held=held,
        summary=f"{sum(sizes):,} rows, {passing:,} pass the filter, {len(held):,} of these are held out and "
        f"{passing - len(held) - left.sum():,} show the same people, {left.sum():,} are left",
    )


def _scan(function: Callable[[tuple[int, Shard]], T], shards: Sequence[Shard]) -> Iterator[T]:
    """Calls the function with each shard and the number of its first row group."""
    begins = itertools.accumulate((len(shard.group_sizes) for shard in shards), initial=0)
    scanned = ordered_map(function, zip(begins, shards, strict=False), SCANNERS, 2 * SCANNERS)
    return tracked(scanned, "shards looked through", len(shards))


def _passing(shard: Shard, rows: RowFilter) -> list[np.ndarray]:
    """The rows of each row group that pass the filter."""
    bits = []
    for table in iter_columns(shard, rows.columns):
        passing = np.ones(table.num_rows, bool)
        if rows.min_caption:
            passing &= pc.utf8_length(table["caption"]).to_numpy() >= rows.min_caption
        if rows.min_face:
            boxes, present = face_field(table, "box", 1)
            sides = (boxes[:, 0, 2:] - boxes[:, 0, :2]).min(axis=1)
            passing &= present[:, 0] & (sides >= rows.min_face)
        if rows.min_score:
            scores, present = face_field(table, "score", 1)
            passing &= present[:, 0] & (scores[:, 0, 0] >= rows.min_score)
        bits.append(np.packbits(passing))
    return bits


def _candidates(begin: int, shard: Shard, bits: Sequence[np.ndarray], count: int) -> _Candidates:
    """The rows of a shard that may be held out, if ``count`` are of all."""
    candidates = _Candidates.of(np.empty((0, 2), np.int64), [], np.empty((0, shard.dim), np.float32), count)
    for group, table in enumerate(iter_columns(shard, ["key", EMBEDDINGS]), begin):
        rows = kept_rows(bits[group], table.num_rows)
        places = np.stack([np.full(len(rows), group), rows], axis=1)
        candidates += _Candidates.of(places, table["key"].take(rows).to_pylist(), _vectors(table)[rows], count)
    return candidates


def _strangers(
    begin: int, shard: Shard, bits: Sequence[np.ndarray], candidates: _Candidates, similarity: float
) -> list[np.ndarray]:
    """The rows of each row group that are not held out and do not look like one that is."""
    mean = (candidates.total / max(candidates.count, 1)).astype(np.float32)
    held = candidates.sample.rows
    wanted = unit(held["vector"] - mean).T
    strangers = []
    for group, table in enumerate(iter_columns(shard, [EMBEDDINGS]), begin):
        # A row without a face is NaN, which is not over any similarity.
        alike = (unit(_vectors(table) - mean) @ wanted > similarity).any(axis=1)
        alike[held["place"][held["place"][:, 0] == group, 1]] = True
        strangers.append(bits[group] & ~np.packbits(alike))
    return strangers


def _vectors(table: pa.Table) -> np.ndarray:
    """The embeddings of the largest faces, float32 [rows, dim]; NaN where there is no face."""
    faces, present = face_embeddings(table, 1)
    vectors = faces[:, 0]
    vectors[~present[:, 0]] = np.nan
    return vectors


def kept_rows(bits: np.ndarray, size: int) -> np.ndarray:
    """Unpacks the rows that are kept: int64 [kept], ascending.

    Args:
        bits: of a row group, packed, uint8 [ceil(size / 8)], as in ``Selection.bits``.
        size: rows of the row group.
    """
    return np.flatnonzero(np.unpackbits(bits, count=size))


def _count(bits: np.ndarray) -> int:
    return int(np.bitwise_count(bits).sum())
