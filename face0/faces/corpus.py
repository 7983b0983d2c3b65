"""What a corpus of face shards comes to, read once in bounded memory: moments and range of all faces, and a sample."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from face0.shards.columns import EMBEDDINGS, face_embeddings
from face0.shards.files import iter_columns
from face0.shards.shard import Shard
from face0.statistics.moments import Moments
from face0.statistics.sampling import LowestHashSample, name_hashes

CORPUS_COLUMNS = ["key", "sha256", EMBEDDINGS]  # of a face shard, that are read
MOMENT_ROWS = 4096  # rows whose moments are taken together: to merge two costs as much as some hundred rows


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """What the largest faces of all rows come to, in parts that merge in any order.

    Attributes:
        moments: count, mean and covariance of the vectors.
        low: the least value in each dimension, float32 [dim]; infinite without a face.
        high: the largest, float32 [dim].
        sample: uniform, of vectors as stored; a row is named by its key and its source's digest, wherever it stands.
        faceless: rows without a face.
        not_finite: rows whose vector holds what is no number, and has no part in the above.
    """

    moments: Moments
    low: np.ndarray
    high: np.ndarray
    sample: LowestHashSample
    faceless: int = 0
    not_finite: int = 0

    @classmethod
    def empty(cls, dim: int, sample: int) -> "Corpus":
        """Makes the corpus of no rows: vectors of length ``dim``, and a sample that is to have this size."""
        return cls._of_vectors(np.empty(0, np.uint64), np.empty((0, dim), np.float16), sample)

    @classmethod
    def of(cls, rows: pa.Table, sample: int) -> "Corpus":
        """Makes the corpus of rows of a face shard with at least CORPUS_COLUMNS, and a sample of this size."""
        stored, present = (array[:, 0] for array in face_embeddings(rows, 1))
        vectors = stored.astype(np.float16)  # the same values in half the memory
        finite = np.isfinite(vectors).all(axis=1)
        chosen = rows.filter(pa.array(present & finite))
        names = map(" ".join, zip(chosen["key"].to_pylist(), chosen["sha256"].to_pylist(), strict=True))
        return replace(
            cls._of_vectors(name_hashes(names), vectors[present & finite], sample),
            faceless=int((~present).sum()),
            not_finite=int((present & ~finite).sum()),
        )

    @classmethod
    def _of_vectors(cls, hashes: np.ndarray, vectors: np.ndarray, sample: int) -> "Corpus":
        return cls(
            moments=Moments.of(vectors),
            low=vectors.min(axis=0, initial=np.inf).astype(np.float32),
            high=vectors.max(axis=0, initial=-np.inf).astype(np.float32),
            sample=LowestHashSample.of(hashes, vectors, sample),
        )

    @property
    def faces(self) -> int:
        """How many faces count: those whose vectors are numbers."""
        return self.moments.count

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return self.faces + self.faceless + self.not_finite

    def __add__(self, other: "Corpus") -> "Corpus":
        return Corpus(
            moments=self.moments + other.moments,
            low=np.minimum(self.low, other.low),
            high=np.maximum(self.high, other.high),
            sample=self.sample + other.sample,
            faceless=self.faceless + other.faceless,
            not_finite=self.not_finite + other.not_finite,
        )


def read_corpus(shard: Shard, sample: int) -> Corpus:
    """The corpus that one shard holds, with a sample of this size."""
    parts = (Corpus.of(rows, sample) for rows in _blocks(shard))
    return sum(parts, Corpus.empty(shard.dim, sample))


def _blocks(shard: Shard) -> Iterator[pa.Table]:
    """The rows of a shard, about MOMENT_ROWS at a time."""
    waiting: list[pa.Table] = []
    for table in iter_columns(shard, CORPUS_COLUMNS):
        waiting.append(table)
        if sum(table.num_rows for table in waiting) >= MOMENT_ROWS:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)
