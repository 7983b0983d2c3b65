"""Area under the curve and equal-error rate, against scikit-learn's curve and known truth."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

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
