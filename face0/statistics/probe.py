"""Shares of groups among generated faces, by a probe that was trained on labelled faces and makes known errors."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from face0.errors import UsageError
from face0.statistics import resampling
from face0.statistics.ratio import ratio

FOLDS = 5


@dataclass(frozen=True, eq=False)
class Probe:
    """Logistic regression (scikit-learn) from identity vectors [m, d] to groups, with its confusions.

    Attributes:
        vectors: identity vectors of labelled faces [m, d].
        groups: their groups, str [m]; two or more, of FOLDS faces each or more.

    Raises:
        UsageError: there are fewer groups or faces.
    """

    vectors: np.ndarray
    groups: np.ndarray

    def __post_init__(self) -> None:
        names, counts = np.unique(self.groups, return_counts=True)
        if len(names) < 2 or counts.min() < FOLDS:
            sizes = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
            raise UsageError(f"labels have {sizes}: give at least two groups of {FOLDS} faces each")

    @cached_property
    def names(self) -> np.ndarray:
        """The groups, sorted."""
        return np.unique(self.groups)

    @cached_property
    def told(self) -> np.ndarray:
        """The group that a probe trained on the other folds gives each labelled face: int [m]."""
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        return np.searchsorted(self.names, cross_val_predict(_classifier(), self.vectors, self.groups, cv=folds))

    def cross_validated(self, resamples: int, seed: int) -> resampling.Estimate:
        """Balanced accuracy, 0..1, with its interval over labelled faces."""
        drawn = resampling.weights(np.arange(len(self.groups)), resamples, seed)
        draws = np.array([np.diag(self.confusion(weights)).mean() for weights in drawn])
        return resampling.from_draws(np.diag(self.confusion(np.ones(len(self.groups)))).mean(), draws, len(self.groups))

    def confusion(self, weights: np.ndarray) -> np.ndarray:
        """Shares of the groups told [told] for each true group [true, told], with weights of the labelled faces [m]."""
        size = len(self.names)
        table = np.zeros((size, size))
        np.add.at(table, (np.searchsorted(self.names, self.groups), self.told), weights)
        return table / table.sum(axis=1, keepdims=True)

    def predict(self, vectors: np.ndarray) -> np.ndarray:
        """The group of each face [n, d], as a number of ``names``: int [n]."""
        fitted = _classifier().fit(self.vectors, self.groups)
        return np.searchsorted(self.names, fitted.predict(vectors))

    def shares(
        self, predicted: np.ndarray, member: np.ndarray, drawn: np.ndarray, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Shares of the groups corrected for the confusions: [sets, groups] and draws [resamples, sets, groups].

        Adjusted counts (Forman 2008): the shares told are the true shares times the confusions, which is solved for the
        true ones; they may fall outside 0..1. The draws resample the images and the labelled faces, so that the
        interval holds the error of both. It takes for granted that the probe errs on generated faces as it does on
        labelled ones.

        Args:
            predicted: groups of the rows, as ``predict`` gives them, int [n].
            member: whether each row belongs to each set, 0 or 1 [n, sets].
            drawn: weights of the rows in the resamples [resamples, n].
            seed: of the resampling of labelled faces.
        """
        one_hot = np.eye(len(self.names))[predicted]
        labelled = resampling.weights(np.arange(len(self.groups)), len(drawn), seed + 1)
        value = _adjusted(_observed(member, one_hot), self.confusion(np.ones(len(self.groups))))
        draws = [
            _adjusted(_observed(member * mine[:, None], one_hot), self.confusion(theirs))
            for mine, theirs in zip(drawn, labelled, strict=True)
        ]
        return value, np.array(draws)


def _classifier() -> LogisticRegression:
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000))


def _observed(member: np.ndarray, one_hot: np.ndarray) -> np.ndarray:
    sums = member.T @ one_hot
    return ratio(sums, sums.sum(axis=1, keepdims=True))


def _adjusted(observed: np.ndarray, confusion: np.ndarray) -> np.ndarray:
    if np.linalg.cond(confusion) > 1e6:  # it cannot tell the groups at all
        return np.full(observed.shape, np.nan)
    return np.linalg.solve(confusion.T, observed.T).T
