"""The face space: what faces of a corpus look like as vectors, and draws of faces that are nobody's.

The paper draws random faces from "a simple mixture of Gaussians" and leaves the rest open. Here the mixture is over the
principal components with the most variance, all other components are normal, and mean and covariance of the whole are
exactly those of the corpus.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError
from sklearn.mixture import GaussianMixture

from face0.errors import UsageError
from face0.faces.bank import Face
from face0.faces.corpus import Corpus
from face0.io import storage
from face0.runtime.normals import normals, uniforms
from face0.tasks.output_folder import versions
from schemas.face_bank import Kind
from schemas.face_space import SpaceRecord

RECORD, PARAMETERS = "space.json", "space.safetensors"
GAUSSIANS = (1, 2, 4, 8, 16, 32)  # numbers that are tried
FEW = 10  # faces below which there is no space; and for each dimension, below which it comes with a warning
HELD_OUT = 5  # each so many of the sample
RIDGE = 1e-2  # added to the variances of each Gaussian; those of the corpus are 1 in these coordinates
NO_VARIANCE = 1e-10  # of the largest: components below it are rounding
STRANGERS = 4096  # draws whose nearest others say how near strangers come
BY_CHANCE = 0.01  # of strangers come as near as what counts as too near
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
        self._sample = _directions(parameters["sample"], self._mean)

    def draw(self, seed: int, index: int, attempt: int = 0) -> np.ndarray:
        """The draw that these numbers decide, on any machine and whatever else is drawn: float32 [dim].

        It may be anybody's: see ``draws``.
        """
        u = uniforms(1, _COMPONENT, seed, index, attempt)[0] * self._bounds[-1]
        component = min(int(np.searchsorted(self._bounds, u, side="right")), len(self._bounds) - 1)
        z = normals(self._axes.shape[1], _VALUES, seed, index, attempt)
        dims = self._means.shape[1]
        z[:dims] = self._means[component] + self._factors[component] @ z[:dims]
        # No value that the model has never seen: those of pooled layers, for one, are never below 0.
        return np.clip(self._mean + self._axes @ z, self.parameters["low"], self.parameters["high"]).astype(np.float32)

    def nearest(self, vectors: np.ndarray) -> np.ndarray:
        """The largest cosine of each vector [n, dim] to a face of the sample, both less the corpus's mean: [n]."""
        return np.clip(_directions(vectors, self._mean) @ self._sample.T, -1, 1).max(axis=1)

    def draws(self, seed: int, count: int) -> Iterator[Draw]:
        """The first ``count`` faces of a seed, none of them a copy of a face of the sample.

        A draw that is nearer to one of these than ``too_near`` is drawn again. More faces of a seed begin alike.

        Raises:
            UsageError: draws keep coming too near.
        """
        for start in range(0, count, TOGETHER):
            index = np.arange(start, min(start + TOGETHER, count))
            redrawn = np.zeros(len(index), int)
            vectors = np.stack([self.draw(seed, i) for i in index.tolist()])
            nearest = self.nearest(vectors)
            while len(again := np.flatnonzero(nearest > self.record.too_near)):
                redrawn[again] += 1
                if redrawn.max() >= TRIES:
                    raise UsageError(
                        f"{TRIES:,} draws in a row are too near to a face of the corpus: its {self.record.faces:,} "
                        "faces are too few or too alike to draw others from; fit the space to more"
                    )
                vectors[again] = [self.draw(seed, int(index[i]), int(redrawn[i])) for i in again]
                nearest[again] = self.nearest(vectors[again])
            for row in zip(index.tolist(), vectors, redrawn.tolist(), nearest.tolist(), strict=True):
                yield Draw(**dict(zip(("index", "vector", "redrawn", "nearest"), row, strict=True)))

    def faces(self, seed: int, count: int, uri: str) -> Iterator[Face]:
        """``draws`` as faces of a bank, with the URI of the space in their provenance."""
        for each in self.draws(seed, count):
            yield Face(
                face_id=f"random-{seed}-{each.index:06d}",
                vector=each.vector,
                kind=Kind.RANDOM,
                provenance={
                    "sources": [],
                    "space": storage.absolute(uri),
                    "space_sha256": self.record.sha256,
                    "seed": seed,
                    "index": each.index,
                    "redrawn": each.redrawn,
                    "nearest": round(each.nearest, 4),
                },
            )

    def save(self, uri: str) -> None:
        """Writes the space as a folder; its record comes last, and a folder without it is none."""
        fs, path = storage.filesystem(storage.join(uri, RECORD))
        if fs.exists(path):
            fs.rm_file(path)  # between two spaces there is none
        with storage.write_whole(uri, PARAMETERS) as file:
            file.write(_packed(self.parameters))
        with storage.write_whole(uri, RECORD) as file:
            file.write(self.record.to_json().encode())
        storage.drop_partial(uri)

    @classmethod
    def load(cls, uri: str) -> "FaceSpace":
        """Reads the space in a folder. Raises UsageError where there is none, or its files do not belong together."""
        try:
            with storage.open_uri(storage.join(uri, RECORD)) as file:
                record = SpaceRecord.from_json(file.read())
            with storage.open_uri(storage.join(uri, PARAMETERS)) as file:
                packed = file.read()
            if hashlib.sha256(packed).hexdigest() != record.sha256:
                raise ValueError(f"{PARAMETERS} is not the file that {RECORD} names")
            return cls(record, safetensors.numpy.load(packed))
        except (OSError, ValueError, SafetensorError) as error:
            raise UsageError(
                f"{uri} holds no face space ({error}): make one with face0 faces fit SHARDS --output {uri}"
            ) from error


def fit(
    corpus: Corpus, uris: Sequence[str], embedder: dict[str, str], dims: int, most_gaussians: int, seed: int
) -> FaceSpace:
    """Fits the space of a corpus.

    Args:
        corpus: all faces, and the sample that the mixture is fitted to.
        uris: where it comes from.
        embedder: what made its vectors.
        dims: principal components that the mixture is over, at most.
        most_gaussians: at most.
        seed: of the mixture's start.

    Raises:
        UsageError: there are too few faces, or they do not differ.
    """
    if corpus.faces < FEW:
        raise UsageError(f"{', '.join(uris)}: {corpus.faces} faces make no face space, give {FEW} or more")
    variance, directions = np.linalg.eigh(corpus.moments.covariance())
    rank = int((variance > NO_VARIANCE * variance[-1]).sum()) if variance[-1] > 0 else 0
    if not rank:
        raise UsageError(f"{', '.join(uris)}: all {corpus.faces:,} faces have the same vector")
    deviation = np.sqrt(variance[::-1][:rank])
    directions = directions[:, ::-1][:, :rank]
    # A direction and its opposite are as good: this one, so that fitting anew gives the same draws.
    directions = directions * np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(rank)])
    sample = corpus.sample.vectors
    dims = min(dims, rank)
    whitened = (sample - corpus.moments.mean) @ (directions[:, :dims] / deviation[:dims])
    mixture, held_out = _mixture(whitened, most_gaussians, seed)
    axes = directions * deviation
    too_near, alike = _too_near(axes, _directions(sample, corpus.moments.mean), seed)
    parameters = {
        name: np.ascontiguousarray(values, np.float32)
        for name, values in {
            "mean": corpus.moments.mean, "axes": axes, "low": corpus.low, "high": corpus.high, **mixture
        }.items()
    }  # fmt: skip
    parameters["sample"] = np.ascontiguousarray(sample)
    record = SpaceRecord(
        corpus=[storage.absolute(uri) for uri in uris],
        rows=corpus.rows,
        faces=corpus.faces,
        faceless=corpus.faceless,
        not_finite=corpus.not_finite,
        embedder=embedder,
        dim=len(corpus.moments.mean),
        sha256=hashlib.sha256(_packed(parameters)).hexdigest(),
        sample=len(sample),
        dims=dims,
        held_out={str(count): round(value, 4) for count, value in held_out.items()},
        gaussians=len(mixture["weights"]),
        too_near=round(too_near, 6),
        seed=seed,
        warnings=_warnings(corpus, alike),
        versions=versions(),
    )
    return FaceSpace(record, parameters)


def _mixture(whitened: np.ndarray, most: int, seed: int) -> tuple[dict[str, np.ndarray], dict[int, float]]:
    """The mixture that fits held-out vectors best, with mean 0 and covariance 1; and how well each number did.

    Args:
        whitened: the sample in coordinates in which the corpus has mean 0 and covariance 1: [n, dims], in random order.
        most: Gaussians that may be tried.
        seed: of the start.
    """
    count, dims = whitened.shape
    held, rest = whitened[: count // HELD_OUT], whitened[count // HELD_OUT :]
    held_out: dict[int, float] = {}
    for gaussians in GAUSSIANS:
        # Fewer vectors than this cannot tell the covariance of each.
        if gaussians > most or (gaussians > 1 and len(rest) < 2 * dims * gaussians):
            break
        held_out[gaussians] = float(_fitted(rest, gaussians, seed).score(held))
    best = _fitted(whitened, max(held_out, key=lambda each: held_out[each]), seed)
    return _standardised(best.weights_, best.means_, best.covariances_), held_out


def _fitted(vectors: np.ndarray, gaussians: int, seed: int) -> GaussianMixture:
    # A better start changes little; that EM is stopped before it stands still changes less, and is no warning.
    mixture = GaussianMixture(gaussians, reg_covar=RIDGE, max_iter=300, tol=1e-2, random_state=seed)
    return mixture.fit(vectors)


def _standardised(weights: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> dict[str, np.ndarray]:
    """A mixture moved and stretched to mean 0 and covariance 1: the sample's moments give way to the corpus's."""
    centred = means - weights @ means
    whole = np.einsum("k,kij->ij", weights, covariances) + np.einsum("k,ki,kj->ij", weights, centred, centred)
    variance, directions = np.linalg.eigh(whole)
    stretch = directions / np.sqrt(variance) @ directions.T
    return {
        "weights": weights,
        "means": centred @ stretch,
        "factors": np.linalg.cholesky(stretch @ covariances @ stretch),
    }


def _too_near(axes: np.ndarray, sample: np.ndarray, seed: int) -> tuple[float, float]:
    """The cosine over which a draw is a copy, and the share of the sample that has another face so near.

    Strangers are drawn from one Gaussian with the covariance of the corpus: it cannot hold a person. How near they come
    to the nearest of as many others as the sample holds is chance; beyond that, it is the same face. The mixture's own
    draws, or the sample itself, would not do: both may hold many photographs of one person.

    Args:
        axes: principal components by their deviations, [dim, rank].
        sample: directions from the mean, [n, dim].
        seed: of the strangers.
    """
    rng = np.random.default_rng(seed)

    def strangers(count: int) -> np.ndarray:
        return _directions(rng.standard_normal((count, axes.shape[1])) @ axes.T, np.zeros(len(axes)))

    others = strangers(len(sample))
    by_chance = np.concatenate([(strangers(TOGETHER) @ others.T).max(axis=1) for _ in range(STRANGERS // TOGETHER)])
    too_near = float(np.quantile(by_chance, 1 - BY_CHANCE))
    some = sample[:STRANGERS]
    alike = 0
    for start in range(0, len(some), TOGETHER):
        cosines = some[start : start + TOGETHER] @ sample.T
        cosines[np.arange(len(cosines)), np.arange(start, start + len(cosines))] = -1  # to itself
        alike += int((cosines.max(axis=1) > too_near).sum())
    return too_near, alike / len(some)


def _directions(vectors: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Vectors [n, dim] less the mean, at unit length, float32; zeros where nothing is left."""
    centred = (np.asarray(vectors, np.float64) - mean).astype(np.float32)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)


def _warnings(corpus: Corpus, alike: float) -> list[str]:
    dim = len(corpus.moments.mean)
    found = [
        "draws have the looks, and the shares of looks, of the corpus: they free a picture's face from its words, not "
        "from the choice of the photographs",
        "the sample holds vectors of real faces: fit the space again when somebody has to be forgotten",
    ]
    if corpus.faces < FEW * dim:
        found.append(f"{corpus.faces:,} faces are few for {dim:,} dimensions: give {FEW * dim:,} or more")
    if corpus.faceless:
        found.append(
            f"{corpus.faceless:,} of {corpus.rows:,} rows have no face and no part in it; a detector does not miss "
            "faces at random"
        )
    if corpus.not_finite:
        found.append(f"{corpus.not_finite:,} vectors hold what is no number, and have no part in it")
    if alike > 2 * BY_CHANCE:
        found.append(
            f"{100 * alike:.0f} % of the faces have another one nearer than strangers come: people with many "
            "photographs count as often, on both sides of the held-out split too"
        )
    return found


def _packed(parameters: dict[str, np.ndarray]) -> bytes:
    packed: Any = safetensors.numpy.save(parameters)
    return bytes(packed)
