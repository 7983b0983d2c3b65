"""Area under the curve and equal-error rate, against scikit-learn's curve and known truth."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from face0.statistics.pairs import comparable_pairs
from face0.statistics.verification import auc_and_equal_error, verify


def test_area_and_equal_error_are_scikit_learns():
    rng = np.random.default_rng(0)
    within, between = np.round(rng.normal(0.6, 0.2, 700), 2), np.round(rng.normal(0.2, 0.2, 900), 2)  # with ties
    labels, scores = np.repeat([1, 0], [700, 900]), np.concatenate([within, between])
    passed, kept, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    crossing = np.argmin(np.abs(passed - (1 - kept)))
    area, error, threshold = auc_and_equal_error(within, between)
    assert area == pytest.approx(roc_auc_score(labels, scores))
    assert error == pytest.approx((passed[crossing] + 1 - kept[crossing]) / 2, abs=0.01)
    assert threshold == pytest.approx(thresholds[crossing], abs=0.021)


def test_without_pairs_there_is_no_figure():
    assert np.isnan(auc_and_equal_error(np.array([]), np.array([0.1]))).all()


def test_the_interval_is_about_characters_and_not_about_pairs():
    """Each character is either perfectly steady or not at all: ten characters are ten observations, not thousands."""
    steady = np.arange(10) % 2
    within_of = np.repeat(np.arange(10), 400)
    within = np.where(steady[within_of], 1.0, 0.0)
    between_of = np.array([(a, b) for a in range(10) for b in range(a)])
    found = verify(within, np.full(45, 0.5), within_of, between_of)
    assert found.auc == pytest.approx(0.5)
    assert found.auc_high - found.auc_low > 0.4
    assert found.characters == 10


def test_pairs_share_neither_scene_nor_seed_and_none_is_lost():
    rng = np.random.default_rng(0)
    who, where, seeds = (axis.ravel() for axis in np.indices((4, 3, 2)))
    vectors = rng.normal(size=(24, 5))
    vectors[5] = np.nan
    pairs = comparable_pairs(vectors, who, where, seeds, rng)
    for each, same in ((pairs.within, True), (pairs.between, False)):
        first, second = each.T
        assert ((who[first] == who[second]) == same).all()
        assert (where[first] != where[second]).all()
        assert (seeds[first] != seeds[second]).all()
        assert 5 not in each
    # A row has 2 partners in each character: 4 x 6 pairs within, 6 x 12 between, less those of the missing face.
    assert (len(pairs.within), len(pairs.between)) == (4 * 6 - 2, 6 * 12 - 6)
    expected = (vectors[pairs.within[:, 0]] * vectors[pairs.within[:, 1]]).sum(axis=1)
    assert pairs.within_similarity == pytest.approx(expected)


def test_many_images_have_a_sample_of_their_pairs():
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(300), 10)
    pairs = comparable_pairs(rng.normal(size=(3000, 2)), who, np.tile(np.arange(10), 300), np.arange(3000), rng)
    assert pairs.drawn
    assert len(pairs.within) == 300 * 45
    assert 100_000 < len(pairs.between) <= 200_000
    assert (who[pairs.between[:, 0]] != who[pairs.between[:, 1]]).all()
