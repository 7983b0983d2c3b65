"""The face space: what faces of a corpus look like as vectors, and draws of faces that are nobody's.

The paper draws random faces from "a simple mixture of Gaussians" and leaves the rest open. Here the mixture is over the
principal components with the most variance, all other components are normal, and mean and covariance of the whole are
exactly those of the corpus.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from face0.errors import StorageError, UsageError
from face0.faces.bank import BankFace
from face0.io import storage
from face0.io.folder import Folder
from face0.runtime.random import normals, uniforms
from face0.statistics.vectors import unit
from schemas.face_bank import Kind
from schemas.face_space import SpaceRecord

RECORD, PARAMETERS = "space.json", "space.safetensors"
FEW = 10  # faces below which there is no space; and for each dimension, below which it comes with a warning
TRIES = 1000  # draws of one face
TOGETHER = 256  # faces that are drawn and checked at a time

# Streams of random numbers, so that no other use of a seed shares them.
_COMPONENT, _VALUES = int.from_bytes(b"gaussian"), int.from_bytes(b"values")


@dataclass(frozen=True, kw_only=True)
class Draw:
    """A face that was drawn.

    Attributes:
        index: its number among those of the seed.
        vector: float32 [dim].
        redrawn: draws before it that came too near to a face of the corpus.
        nearest: its largest cosine to a face of the sample, both less the corpus's mean.
    """

    index: int
    vector: np.ndarray
    redrawn: int
    nearest: float


class FaceSpace:
    """A fitted space. Made by ``fit`` or ``load``.

    Args:
        record: what it is of.
        parameters: arrays by name. ``mean`` [dim]; ``axes`` [dim, rank], the principal components with their standard
            deviations as lengths, the largest first; ``weights`` [K], ``means`` [K, dims] and ``factors``
            [K, dims, dims] (lower triangles whose squares are covariances) of the mixture in the first ``dims``
            components; ``low`` and ``high`` [dim], the range of the corpus; all float32. ``sample`` [n, dim] as in
            the shards.
    """

    def __init__(self, record: SpaceRecord, parameters: dict[str, np.ndarray]) -> None:
        self.record = record
        self.parameters = parameters
        names = ("mean", "axes", "weights", "means", "factors")
        self._mean, self._axes, weights, self._means, self._factors = (
            parameters[name].astype(np.float64) for name in names
        )
        self._bounds = np.cumsum(weights)
        self._sample = directions_from(parameters["sample"], self._mean)

    def draw(self, seed: int, index: int, attempt: int = 0) -> np.ndarray:
        """The draw that these numbers decide, on any machine and whatever else is drawn: float32 [dim].

        It may be anybody's: see ``draws``.
        """
        height = uniforms(1, _COMPONENT, seed, index, attempt)[0] * self._bounds[-1]
        component = min(int(np.searchsorted(self._bounds, height, side="right")), len(self._bounds) - 1)
        z = normals(self._axes.shape[1], _VALUES, seed, index, attempt)
        dims = self._means.shape[1]
        z[:dims] = self._means[component] + self._factors[component] @ z[:dims]
        # No value that the model has never seen: those of pooled layers, for one, are never below 0.
        return np.clip(self._mean + self._axes @ z, self.parameters["low"], self.parameters["high"]).astype(np.float32)

    def nearest(self, vectors: np.ndarray) -> np.ndarray:
        """The largest cosine of each vector [n, dim] to a face of the sample, both less the corpus's mean: [n]."""
        return np.clip(directions_from(vectors, self._mean) @ self._sample.T, -1, 1).max(axis=1)

    def draws(self, seed: int, count: int) -> Iterator[Draw]:
        """Draws the first ``count`` faces of a seed, none of them a copy of a face of the sample.

        A draw that is nearer to one of these than ``too_near`` is drawn again. A larger count begins with the
        same faces.

        Raises:
            UsageError: draws keep coming too near.
        """
        for start in range(0, count, TOGETHER):
            index = np.arange(start, min(start + TOGETHER, count))
            redrawn = np.zeros(len(index), int)
            vectors = np.stack([self.draw(seed, number) for number in index.tolist()])
            nearest = self.nearest(vectors)
            while len(again := np.flatnonzero(nearest > self.record.too_near)):
                redrawn[again] += 1
                if redrawn.max() >= TRIES:
                    raise UsageError(
                        f"{TRIES:,} draws in a row are too near to a face of the corpus: its {self.record.faces:,} "
                        "faces are too few or too alike to draw others from; fit the space to more"
                    )
                vectors[again] = [self.draw(seed, int(index[row]), int(redrawn[row])) for row in again]
                nearest[again] = self.nearest(vectors[again])
            for row in zip(index.tolist(), vectors, redrawn.tolist(), nearest.tolist(), strict=True):
                yield Draw(**dict(zip(("index", "vector", "redrawn", "nearest"), row, strict=True)))

    def faces(self, seed: int, count: int, uri: str) -> Iterator[BankFace]:
        """``draws`` as faces of a bank, with the URI of the space in their provenance."""
        for draw in self.draws(seed, count):
            yield BankFace(
                face_id=f"random-{seed}-{draw.index:06d}",
                vector=draw.vector,
                kind=Kind.RANDOM,
                provenance={
                    "sources": [],
                    "space": storage.absolute(uri),
                    "space_sha256": self.record.sha256,
                    "seed": seed,
                    "index": draw.index,
                    "redrawn": draw.redrawn,
                    "nearest": round(draw.nearest, 4),
                },
            )

    def save(self, uri: str) -> None:
        """Writes the space as a folder; its record comes last, and a folder without it is none."""
        folder = Folder(uri)
        folder.remove(RECORD)  # between two spaces there is none
        with folder.write(PARAMETERS) as file:
            file.write(packed(self.parameters))
        folder.write_text(RECORD, self.record.to_json())
        folder.drop_partial()

    @classmethod
    def load(cls, uri: str) -> "FaceSpace":
        """Reads the space in a folder. Raises UsageError where there is none, or its files do not belong together."""
        try:
            folder = Folder(uri)
            record = SpaceRecord.from_json(folder.read(RECORD))
            parameters = folder.read(PARAMETERS)
            if hashlib.sha256(parameters).hexdigest() != record.sha256:
                raise ValueError(f"{PARAMETERS} is not the file that {RECORD} names")
            return cls(record, safetensors.numpy.load(parameters))
        except StorageError:
            raise
        except (OSError, ValueError, SafetensorError) as error:
            raise UsageError(
                f"{uri} holds no face space ({error}): make one with face0 faces fit SHARDS --output {uri}"
            ) from error


def directions_from(vectors: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Vectors [n, dim] less the mean, at unit length, float32; zeros where nothing is left."""
    return unit((np.asarray(vectors, np.float64) - mean).astype(np.float32))


def packed(parameters: dict[str, np.ndarray]) -> bytes:
    """A space's arrays as the bytes of its file, which are the same for the same arrays."""
    content: Any = safetensors.numpy.save(parameters)
    return bytes(content)
