"""Fitting a face space to a corpus."""

import hashlib
from collections.abc import Sequence

import numpy as np
from sklearn.mixture import GaussianMixture

from face0.errors import UsageError
from face0.faces.corpus import Corpus
from face0.faces.space import FEW, TOGETHER, FaceSpace, directions_from, packed
from face0.io import storage
from face0.io.secrets import public
from face0.runtime.versions import library_versions
from schemas.face_space import SpaceRecord

GAUSSIANS = (1, 2, 4, 8, 16, 32)  # numbers that are tried


HELD_OUT = 5  # each so many of the sample


RIDGE = 1e-2  # added to the variances of each Gaussian; those of the corpus are 1 in these coordinates


NO_VARIANCE = 1e-10  # of the largest: components below it are rounding


STRANGERS = 4096  # draws whose nearest others say how near strangers come


BY_CHANCE = 0.01  # of strangers come as near as what counts as too near


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
    sample = corpus.sample.rows
    dims = min(dims, rank)
    whitened = (sample - corpus.moments.mean) @ (directions[:, :dims] / deviation[:dims])
    mixture, held_out = _mixture(whitened, most_gaussians, seed)
    axes = directions * deviation
    too_near, alike = _too_near(axes, directions_from(sample, corpus.moments.mean), seed)
    parameters = {
        name: np.ascontiguousarray(values, np.float32)
        for name, values in {
            "mean": corpus.moments.mean, "axes": axes, "low": corpus.low, "high": corpus.high, **mixture
        }.items()
    }  # fmt: skip
    parameters["sample"] = np.ascontiguousarray(sample)
    record = SpaceRecord(
        corpus=[public(storage.absolute(uri)) for uri in uris],
        rows=corpus.rows,
        faces=corpus.faces,
        faceless=corpus.faceless,
        not_finite=corpus.not_finite,
        embedder=embedder,
        dim=len(corpus.moments.mean),
        sha256=hashlib.sha256(packed(parameters)).hexdigest(),
        sample=len(sample),
        dims=dims,
        held_out={str(count): round(value, 4) for count, value in held_out.items()},
        gaussians=len(mixture["weights"]),
        too_near=round(too_near, 6),
        seed=seed,
        warnings=_warnings(corpus, alike),
        versions=library_versions(),
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
    best = _fitted(whitened, max(held_out, key=held_out.__getitem__), seed)
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
        return directions_from(rng.standard_normal((count, axes.shape[1])) @ axes.T, np.zeros(len(axes)))

    others = strangers(len(sample))
    by_chance = np.concatenate([(strangers(TOGETHER) @ others.T).max(axis=1) for _ in range(STRANGERS // TOGETHER)])
    too_near = float(np.quantile(by_chance, 1 - BY_CHANCE))
    compared = sample[:STRANGERS]
    alike = 0
    for start in range(0, len(compared), TOGETHER):
        cosines = compared[start : start + TOGETHER] @ sample.T
        cosines[np.arange(len(cosines)), np.arange(start, start + len(cosines))] = -1  # to itself
        alike += int((cosines.max(axis=1) > too_near).sum())
    return too_near, alike / len(compared)


def _warnings(corpus: Corpus, alike: float) -> list[str]:
    dim = len(corpus.moments.mean)
    warnings = [
        "draws have the looks, and the shares of looks, of the corpus: they free a picture's face from its words, not "
        "from the choice of the photographs",
        "the sample holds vectors of real faces: fit the space again when somebody has to be forgotten",
    ]
    if corpus.faces < FEW * dim:
        warnings.append(f"{corpus.faces:,} faces are few for {dim:,} dimensions: give {FEW * dim:,} or more")
    if corpus.faceless:
        warnings.append(
            f"{corpus.faceless:,} of {corpus.rows:,} rows have no face and no part in it; a detector does not miss "
            "faces at random"
        )
    if corpus.not_finite:
        warnings.append(f"{corpus.not_finite:,} vectors hold what is no number, and have no part in it")
    if alike > 2 * BY_CHANCE:
        warnings.append(
            f"{100 * alike:.0f} % of the faces have another one nearer than strangers come: people with many "
            "photographs count as often, on both sides of the held-out split too"
        )
    return warnings
