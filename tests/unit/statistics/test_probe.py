"""A probe for groups of faces: its accuracy, and shares corrected for the errors that it is known to make."""

import numpy as np
import pytest

from face0.errors import UsageError
from face0.statistics.probe import Probe


def faces(rng: np.random.Generator, groups: np.ndarray, apart: float) -> np.ndarray:
    """Vectors [n, 4] of two groups, so many standard deviations apart."""
    return rng.normal(size=(len(groups), 4)) + apart * np.outer(groups == "b", [1, 0, 0, 0])


def probe(apart: float, seed: int = 0) -> Probe:
    labels = np.repeat(["a", "b"], 300)
    return Probe(faces(np.random.default_rng(seed), labels, apart), labels)


@pytest.mark.parametrize(("apart", "accuracy"), [(9, 1.0), (2, 0.84), (0, 0.5)])
def test_balanced_accuracy_is_that_of_the_best_line(apart, accuracy):
    estimate = probe(apart).cross_validated(100, 0)
    assert estimate.value == pytest.approx(accuracy, abs=0.04)
    assert estimate.low <= estimate.value <= estimate.high


def test_shares_are_corrected_for_confusions():
    """Of 100 in b, a third are taken for a; uncorrected, a share of 0.1 would come out near 0.2."""
    groups = np.array(["a"] * 4500 + ["b"] * 500)
    trained = probe(1.5)
    told = trained.predict(faces(np.random.default_rng(1), groups, 1.5))
    value, draws = trained.shares(told, np.ones((5000, 1)), np.ones((50, 5000)), 0)
    assert told.mean() > 0.2
    assert value[0] == pytest.approx([0.9, 0.1], abs=0.08)
    assert abs(value[0, 1] - 0.1) < 3 * draws[:, 0, 1].std()


def test_a_probe_that_cannot_tell_gives_no_shares():
    labels = np.repeat(["a", "b"], 50)
    blind = Probe(np.ones((100, 2)), labels)
    value, _ = blind.shares(blind.predict(np.ones((9, 2))), np.ones((9, 1)), np.ones((1, 9)), 0)
    assert np.isnan(value).all()


@pytest.mark.parametrize("labels", [["a"] * 10, ["a"] * 10 + ["b"] * 4])
def test_too_few_labels_are_refused_with_their_counts(labels):
    with pytest.raises(UsageError, match=r"a 10.*at least two groups of 5 faces each"):
        Probe(np.zeros((len(labels), 2)), np.array(labels))
