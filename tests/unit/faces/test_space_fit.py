"""The mixture of Gaussians that a corpus comes to, and how it is fitted."""

import numpy as np
import pytest

from face0.errors import UsageError
from face0.faces.space import FaceSpace
from face0.faces.space_fit import BY_CHANCE, fit
from tests.fixtures.spaces import CENTRES, EMBEDDER, SHARES, clusters, corpus, fitted, raw

SE = 5  # standard errors: of thousands of comparisons, none is further off by chance


@pytest.fixture(scope="module")
def three() -> tuple[FaceSpace, np.ndarray]:
    """A space, and the vectors that it was fitted to."""
    vectors = clusters(6000).astype(np.float16)
    return fitted(vectors), vectors.astype(np.float64)


def test_draws_have_mean_covariance_and_shares_of_the_corpus(three):
    space, vectors = three
    assert space.record.gaussians >= 3
    drawn = raw(space, 20_000).astype(np.float64)
    error = vectors.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - vectors.mean(axis=0)) < SE * error).all()
    centred = vectors - vectors.mean(axis=0)
    products = centred[:, :, None] * centred[:, None]
    error = products.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(np.cov(drawn.T) - np.cov(vectors.T)) < SE * error).all()

    def shares(values: np.ndarray) -> np.ndarray:
        nearest = np.linalg.norm(values[:, None] - CENTRES, axis=2).argmin(axis=1)
        return np.bincount(nearest, minlength=3) / len(values)

    error = np.sqrt(SHARES * (1 - SHARES) * (1 / len(drawn) + 1 / len(vectors)))
    assert (np.abs(shares(drawn) - shares(vectors)) < SE * error).all()


def test_mean_and_covariance_are_those_of_all_faces_not_of_the_sample():
    vectors = clusters(4000).astype(np.float16)
    space = fit(corpus(vectors, sample=200), ["shards"], EMBEDDER, dims=4, most_gaussians=4, seed=0)
    assert (space.record.faces, space.record.sample) == (4000, 200)
    mixture = {name: values.astype(np.float64) for name, values in space.parameters.items()}
    weights, means, factors, axes = (mixture[name] for name in ("weights", "means", "factors", "axes"))
    inner = np.eye(6)  # along the last two components a face is normal
    covariances = factors @ factors.transpose(0, 2, 1) + means[:, :, None] * means[:, None]
    inner[:4, :4] = np.einsum("k,kij->ij", weights, covariances)
    assert np.allclose(weights @ means, 0, atol=1e-5)
    assert np.allclose(mixture["mean"], vectors.mean(axis=0, dtype=np.float64), atol=1e-5)
    assert np.allclose(axes @ inner @ axes.T, np.cov(vectors.T.astype(np.float64)), rtol=1e-3, atol=1e-3)


def test_draws_have_the_covariance_along_components_that_the_mixture_leaves_out():
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(4000, 6)) * [9, 5, 3, 2, 1, 0.5] + 20).astype(np.float16)
    space = fitted(vectors, dims=2)
    assert space.record.dims == 2
    drawn = raw(space, 10_000)
    assert np.allclose(drawn.std(axis=0), vectors.astype(float).std(axis=0), rtol=0.05)
    assert np.allclose(drawn.mean(axis=0), vectors.astype(float).mean(axis=0), atol=0.4)


@pytest.mark.parametrize(("count", "separate"), [(1, False), (3, True)])
def test_held_out_faces_decide_how_many_gaussians_there_are(three, count, separate):
    vectors = np.random.default_rng(0).normal(size=(3000, 6)).astype(np.float16)
    record = three[0].record if separate else fitted(vectors).record
    assert (record.gaussians >= count) if separate else (record.gaussians == count)
    best = max(record.held_out, key=lambda each: record.held_out[each])
    assert record.gaussians == int(best)
    assert "1" in record.held_out


def test_no_value_leaves_the_range_of_the_corpus():
    rng = np.random.default_rng(0)
    vectors = rng.exponential(size=(2000, 4)).astype(np.float16)  # as pooled activations: many near 0, none below
    drawn = raw(fitted(vectors, most_gaussians=1), 2000)
    assert drawn.min() >= vectors.min()
    assert drawn.max() <= vectors.max()


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.random.default_rng(0).normal(size=(9, 4)), "9 faces make no face space"),
        (np.ones((20, 4)), "all 20 faces have the same vector"),
    ],
)
def test_too_little_to_fit(vectors, message):
    with pytest.raises(UsageError, match=message):
        fitted(vectors)


def test_fewer_faces_than_dimensions_are_enough_and_come_with_a_warning():
    vectors = np.random.default_rng(0).normal(size=(30, 50)).astype(np.float16)
    space = fitted(vectors)
    assert any("30 faces are few for 50 dimensions" in warning for warning in space.record.warnings)
    centred = raw(space, 50) - vectors.astype(float).mean(axis=0)
    basis = np.linalg.svd(vectors - vectors.mean(axis=0, dtype=float), full_matrices=False)[2][:29]
    kept = space.parameters["low"] < space.parameters["high"]
    assert kept.all()
    # Where nothing is clipped, a draw is a combination of the faces.
    inside = (raw(space, 50) > space.parameters["low"]) & (raw(space, 50) < space.parameters["high"])
    free = centred[inside.all(axis=1)]
    assert np.allclose(free @ basis.T @ basis, free, atol=1e-3)


def test_people_with_many_photographs_are_not_drawn():
    """The mixture has a Gaussian for such a person, and its draws are drawn again."""
    rng = np.random.default_rng(0)
    dim = 32
    person = 4 * rng.normal(size=dim)
    others = rng.normal(size=(3000, dim))
    photographs = person + 0.3 * rng.normal(size=(1000, dim))
    space = fitted(np.concatenate([others, photographs]).astype(np.float16))
    assert space.record.gaussians > 1

    def like_them(vectors: np.ndarray) -> np.ndarray:
        return np.linalg.norm(vectors - person, axis=1) < 4

    assert like_them(raw(space, 400)).mean() > 0.15
    drawn = list(space.draws(1, 400))
    assert not like_them(np.stack([each.vector for each in drawn])).any()
    assert sum(each.redrawn for each in drawn) > 60
    assert any("another one nearer than strangers come" in warning for warning in space.record.warnings)


def test_strangers_seldom_count_as_too_near():
    vectors = np.random.default_rng(0).normal(size=(3000, 32)).astype(np.float16)
    space = fitted(vectors)
    redrawn = sum(each.redrawn for each in space.draws(1, 2000))
    assert redrawn < 2000 * BY_CHANCE + SE * np.sqrt(2000 * BY_CHANCE)
    assert not any("strangers" in warning for warning in space.record.warnings)
