"""Verification: is a pair of faces of one character told from a pair of two by its similarity?"""

from dataclasses import dataclass

import numpy as np

from face0.runtime.progress import tracked
from face0.statistics.resampling import interval, weights

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A distribution of similarities.

    Attributes:
        count: of the similarities.
        mean: of the similarities.
        quantiles: by level: "0", "0.05", ...
    """

    count: int
    mean: float
    quantiles: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Similarities within characters against those between them. NaN where there are none.

    The area under the curve is the probability that a pair within is more alike than a pair between; at the threshold
    of the equal-error rate as large a share of the pairs within falls below as of the pairs between lies above.
    Intervals are 95 % over characters.

    Attributes:
        auc: area under the curve, 0..1.
        auc_low: lower end of its interval.
        auc_high: upper end.
        equal_error: equal-error rate, 0..1.
        equal_error_low: lower end of its interval.
        equal_error_high: upper end.
        threshold: similarity at which the rate is taken.
        characters: number of characters.
        within: similarities of pairs within characters.
        between: similarities of pairs between them.
    """

    auc: float
    auc_low: float
    auc_high: float
    equal_error: float
    equal_error_low: float
    equal_error_high: float
    threshold: float
    characters: int
    within: Spread
    between: Spread


def spread(similarities: np.ndarray) -> Spread:
    """Count, mean and quantiles of similarities [m]; NaN without any."""
    if not len(similarities):
        return Spread(count=0, mean=float("nan"), quantiles={f"{level:g}": float("nan") for level in QUANTILES})
    values = np.quantile(similarities, QUANTILES)
    return Spread(
        count=len(similarities),
        mean=float(np.mean(similarities)),
        quantiles={f"{level:g}": float(value) for level, value in zip(QUANTILES, values, strict=True)},
    )


def verify(
    within: np.ndarray,
    between: np.ndarray,
    within_of: np.ndarray,
    between_of: np.ndarray,
    resamples: int = 1000,
    seed: int = 0,
) -> Verification:
    """Area under the curve and equal-error rate with bootstrap intervals over characters.

    Args:
        within: similarities of pairs of one character [g].
        between: similarities of pairs of two [m].
        within_of: the character of each pair, int [g].
        between_of: the two characters of each pair, int [m, 2].
        resamples: of the bootstrap. Pairs between two copies of one character are not counted as between.
        seed: of the bootstrap.
    """
    names = np.unique(np.concatenate([within_of, between_of.ravel()]).astype(int))
    curve = _Curve(within, between)
    rates = curve.rates(np.ones(len(within)), np.ones(len(between)))
    drawn = np.full((0, 3), np.nan)
    if len(names) > 1 and len(within) and len(between):
        own, first, second = (
            np.searchsorted(names, characters) for characters in (within_of, between_of[:, 0], between_of[:, 1])
        )
        counts = weights(names, resamples, seed)
        resampled = tracked(counts, "resamples of the pairs")
        drawn = np.array([curve.rates(times[own], times[first] * times[second]) for times in resampled])
    auc = interval(drawn[:, 0], len(names))
    error = interval(drawn[:, 1], len(names))
    return Verification(
        auc=rates[0],
        auc_low=auc[0],
        auc_high=auc[1],
        equal_error=rates[1],
        equal_error_low=error[0],
        equal_error_high=error[1],
        threshold=rates[2],
        characters=len(names),
        within=spread(within),
        between=spread(between),
    )


def auc_and_equal_error(within: np.ndarray, between: np.ndarray) -> tuple[float, float, float]:
    """Area under the curve (a tie counts half), equal-error rate and its threshold, of similarities [g] and [m]."""
    return _Curve(within, between).rates(np.ones(len(within)), np.ones(len(between)))


class _Curve:
    """Scores sorted once, for many weightings: scikit-learn's ``roc_curve`` sorts them anew for each."""

    def __init__(self, within: np.ndarray, between: np.ndarray) -> None:
        self.scores, place = np.unique(np.concatenate([within, between]), return_inverse=True)
        self.within, self.between = place[: len(within)], place[len(within) :]

    def rates(self, within: np.ndarray, between: np.ndarray) -> tuple[float, float, float]:
        """Area, equal-error rate and threshold with the given weights of the pairs; NaN where a side weighs nothing."""
        genuine = np.bincount(self.within, weights=within, minlength=len(self.scores))
        impostor = np.bincount(self.between, weights=between, minlength=len(self.scores))
        if not genuine.sum() or not impostor.sum():
            return float("nan"), float("nan"), float("nan")
        genuine, impostor = genuine / genuine.sum(), impostor / impostor.sum()
        below = np.cumsum(impostor) - impostor
        area = float(genuine @ (below + impostor / 2))
        # At threshold t a pair is taken for one character from t on: these pairs within are lost, these between pass.
        lost = np.cumsum(genuine) - genuine
        passed = 1 - below
        first = int(np.argmax(lost >= passed)) if np.any(lost >= passed) else len(lost) - 1
        best = min((first, max(first - 1, 0)), key=lambda at: max(lost[at], passed[at]))
        return area, float((lost[best] + passed[best]) / 2), float(self.scores[best])
