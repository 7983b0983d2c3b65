"""A probe for groups of faces: its accuracy, and shares corrected for the errors that it is known to make."""

import numpy as np
import pytest

from face0.errors import UsageError
from face0.statistics.probe import Probe


def faces(rng: np.random.Generator, groups: np.ndarray, apart: float, spread: float = 1) -> np.ndarray:
    """Vectors [n, 4] of two groups, so many standard deviations of the first apart; the second has another spread."""
    second = groups[:, None] == "b"
    return rng.normal(size=(len(groups), 4)) * np.where(second, spread, 1) + apart * second * [1, 0, 0, 0]


def probe(apart: float, spread: float = 1) -> Probe:
    labels = np.repeat(["a", "b"], 300)
    return Probe(faces(np.random.default_rng(0), labels, apart, spread), labels)


@pytest.mark.parametrize(("apart", "accuracy"), [(9, 1.0), (2, 0.84), (0, 0.5)])
def test_balanced_accuracy_is_that_of_the_best_line(apart, accuracy):
    estimate = probe(apart).cross_validated(100, 0)
    assert estimate.value == pytest.approx(accuracy, abs=0.04)
    assert estimate.low <= estimate.value <= estimate.high


def test_shares_are_corrected_for_confusions():
    """A third of the second group is taken for the first, and half as many of the first for the second."""
    groups = np.array(["a"] * 2500 + ["b"] * 2500)
    trained = probe(2, spread=3)
    told = trained.predict(faces(np.random.default_rng(1), groups, 2, spread=3))
    value, draws = trained.shares(told, np.ones((5000, 1)), np.ones((50, 5000)), 0)
    assert told.mean() < 0.45
    assert value[0] == pytest.approx([0.5, 0.5], abs=0.05)
    assert abs(value[0, 1] - 0.5) < 3 * draws[:, 0, 1].std()


def test_a_probe_that_cannot_tell_gives_no_shares():
    labels = np.repeat(["a", "b"], 50)
    blind = Probe(np.ones((100, 2)), labels)
    value, _ = blind.shares(blind.predict(np.ones((9, 2))), np.ones((9, 1)), np.ones((1, 9)), 0)
    assert np.isnan(value).all()


@pytest.mark.parametrize("labels", [["a"] * 10, ["a"] * 10 + ["b"] * 4])
def test_too_few_labels_are_refused_with_their_counts(labels):
    with pytest.raises(UsageError, match=r"a 10.*at least two groups of 5 faces each"):
        Probe(np.zeros((len(labels), 2)), np.array(labels))
