"""The classifier of leakage: as good as scikit-learn's, and blind to what it must not use."""

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from face0.statistics.discriminant import balanced, leakage, nearest_mean, shrinkage, whiten
from face0.statistics.resampling import p_value
from tests.fixtures.audit_simulation import World, crossed, paired, without_vector


@pytest.mark.parametrize(("n", "d"), [(60, 8), (20, 50)])
def test_faces_are_white_under_the_shrunk_covariance_of_scikit_learn(n: int, d: int):
    rng = np.random.default_rng(0)
    train, test = (rng.normal(size=(size, d)) * np.linspace(0.2, 2, d) for size in (n, 5))
    fitted = LedoitWolf().fit(train)
    centred = train - train.mean(axis=0)
    values = np.linalg.eigvalsh(centred.T @ centred / n)
    assert shrinkage(centred, np.maximum(values, 0)) == pytest.approx(fitted.shrinkage_, rel=1e-6)
    white_train, white_test = whiten(train, test)
    # Differences within the span of the training rows are Mahalanobis distances.
    away = white_train[0] - white_train[1]
    assert away @ away == pytest.approx(fitted.mahalanobis((train[0] - train[1] + fitted.location_)[None])[0], rel=1e-3)
    assert white_test.shape[1] == white_train.shape[1]


def test_two_prompts_are_told_as_scikit_learn_tells_them():
    rng = np.random.default_rng(0)
    labels, mixing = np.arange(400) % 2, np.eye(6) + 0.3
    train, test = (rng.normal(size=(400, 6)) @ mixing + labels[:, None] * 0.4 for _ in range(2))
    mine = nearest_mean(*whiten(train, test), labels[None], 2)[0]
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(train, labels).predict(test)
    assert np.mean(mine == theirs) > 0.97


def test_a_seed_that_makes_faces_alike_is_no_leak():
    """Faces are nearly the same for all prompts of a seed and vector: a classifier that saw these would be fooled."""
    for design in (paired(5, 12), crossed(5, 6, 6), without_vector(5, 12)):
        faces = World(vector=3, seed=3, noise=0.1).faces(design, np.random.default_rng(1))
        found = leakage(faces, design, permutations=99)
        assert found.tested.all()
        assert p_value(found.accuracy, found.null) > 0.05


def test_a_leak_is_found_beneath_strong_vectors():
    design = crossed(5, 8, 8)
    faces = World(words=0.6, vector=1.5, seed=1.0).faces(design, np.random.default_rng(2))
    found = leakage(faces, design, permutations=99)
    assert found.accuracy > 0.4
    assert p_value(found.accuracy, found.null) == 0.01


def test_the_null_is_about_chance_where_prompts_have_different_numbers_of_faces():
    rng = np.random.default_rng(3)
    design = paired(4, 40)
    kept = rng.random(160) < np.array([0.3, 0.9, 0.9, 0.9])[design.prompt]
    faces = World().faces(design, rng)
    found = leakage(faces[kept], design.take(kept), permutations=199)
    assert found.null.mean() == pytest.approx(0.25, abs=0.02)


def test_every_prompt_weighs_the_same():
    correct, labels = np.array([[1, 1, 1, 1, 0]], bool), np.array([[0, 0, 0, 0, 1]])
    assert balanced(correct, labels, 2)[0] == 0.5
    assert balanced(correct, labels, 3)[0] == 0.5  # a prompt without faces is left out
