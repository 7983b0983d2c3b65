"""Resampling: intervals from whole clusters, tests within blocks, false discoveries, the smallest effect to be seen.

Images of one face, one seed or one prompt resemble one another, so rows are never resampled one by one.
"""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and 95 % interval; NaN where there is not enough to tell.

    Attributes:
        value: the value.
        error: its standard error.
        low: lower end of the interval.
        high: upper end.
    """

    value: float
    error: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")


def from_draws(value: float, draws: np.ndarray, clusters: int) -> Estimate:
    """A value with the error and interval of its bootstrap draws [resamples]; see ``interval``."""
    finite = draws[np.isfinite(draws)]
    error = finite.std() * np.sqrt(_correction(clusters)) if len(finite) > 1 and clusters > 1 else np.nan
    return Estimate(float(value), float(error), *interval(draws, clusters))


def from_error(value: float, error: float, freedom: int) -> Estimate:
    """A value with Student's interval of its standard error."""
    if freedom < 1 or not np.isfinite(error):
        return Estimate(float(value))
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom) * error)
    return Estimate(float(value), float(error), float(value) - half, float(value) + half)


def over_prompts(values: np.ndarray, draws: np.ndarray, clusters: int) -> Estimate:
    """The mean over prompts, for prompts like these and vectors like these.

    Two-way clustering (Cameron, Gelbach and Miller 2011): the variance over prompts, plus that over clusters, less what
    is in both, the noise of single prompts. Not below the larger of the two.

    Args:
        values: of each prompt [prompts]; NaN where it has none.
        draws: the same in bootstrap resamples of the clusters [resamples, prompts].
        clusters: that were resampled.
    """
    usable = np.isfinite(values)
    values, draws = values[usable], draws[:, usable]
    count = len(values)
    if not count:
        return Estimate(float("nan"))
    if count < 2 or clusters < 2:
        return Estimate(float(values.mean()))
    draws = draws[np.isfinite(draws).all(axis=1)]
    if len(draws) < 2:
        return Estimate(float(values.mean()))
    of_prompts = values.var(ddof=1) / count
    of_clusters = draws.mean(axis=1).var() * _correction(clusters)
    of_both = draws.var(axis=0).mean() * _correction(clusters) / count
    variance = max(of_prompts + of_clusters - of_both, of_prompts, of_clusters)
    return from_error(values.mean(), np.sqrt(variance), min(count, clusters) - 1)


def connected(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rows [n] that share a level of either factor, directly or through others, get one number: int [n]."""
    _, first_codes = np.unique(first, return_inverse=True)
    _, second_codes = np.unique(second, return_inverse=True)
    second_codes += first_codes.max() + 1
    size = second_codes.max() + 1
    graph = sparse.coo_array((np.ones(len(first_codes)), (first_codes, second_codes)), shape=(size, size))
    return sparse.csgraph.connected_components(graph, directed=False)[1][first_codes]


def weights(factor: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """The weight of each row's cluster in each resample of the Bayesian bootstrap (Rubin 1981): float32 [resamples, n].

    A cluster's weights are exponential with mean 1 and are drawn by its name, so that arms which share their seeds are
    resampled together, also where a face is missing in one of them, and their differences stay paired. The product of
    the weights of several factors is the pigeonhole bootstrap (Owen 2007), which errs on the wide side.

    Args:
        factor: the cluster of each row, by name or number [n].
        resamples: how many.
        seed: of the draws.
    """
    levels, codes = np.unique(factor, return_inverse=True)
    drawn = np.empty((len(levels), resamples), np.float32)
    for level, row in zip(levels, drawn, strict=True):
        row[:] = np.random.default_rng([seed, zlib.crc32(str(level).encode())]).exponential(size=resamples)
    return drawn.T[:, codes]


def interval(draws: np.ndarray, clusters: int, level: float = LEVEL) -> tuple[float, float]:
    """The expanded percentile interval (Hesterberg 2015) of bootstrap draws [resamples]: low, high.

    A plain percentile interval is too narrow for few clusters; its levels are moved out until it is as wide, for a
    mean, as Student's. NaN twice where there are fewer than two clusters or draws.
    """
    draws = draws[np.isfinite(draws)]
    if clusters < 2 or len(draws) < 2:
        return float("nan"), float("nan")
    wide = np.sqrt(_correction(clusters)) * stats.t.ppf((1 - level) / 2, clusters - 1)
    tail = stats.norm.cdf(wide)
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def jackknife(
    statistic: Callable[[np.ndarray], np.ndarray], factors: Iterable[np.ndarray], groups: int = 20
) -> tuple[np.ndarray, int]:
    """Standard errors from leaving out a group of clusters at a time (Efron and Stein 1981), and degrees of freedom.

    For statistics that repeated rows would spoil, as they do those of diversity. The variances of several factors are
    added, which errs on the wide side. NaN where a factor has fewer than three clusters.

    Args:
        statistic: of the rows under a bool mask [n]: float [k].
        factors: the cluster of each row [n], for each factor.
        groups: at most; clusters are dealt to them in turn.

    Returns:
        float64 [k] and an int.
    """
    variances, sizes = [], []
    for levels in factors:
        _, codes = np.unique(levels, return_inverse=True)
        group = codes % groups
        count = int(group.max()) + 1
        values = np.array([statistic(group != number) for number in range(count)])
        few = np.full(values.shape[1], np.nan)
        variances.append((count - 1) * ((values - values.mean(axis=0)) ** 2).mean(axis=0) if count > 2 else few)
        sizes.append(count)
    return np.sqrt(np.sum(variances, axis=0)), min(sizes) - 1


def permutations_within(blocks: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Orders of the rows that move them within their blocks [n] only: int [count, n]."""
    _, codes = np.unique(blocks, return_inverse=True)
    home = np.argsort(codes, kind="stable")
    drawn = np.argsort(codes + np.random.default_rng(seed).random((count, len(codes))), axis=1)
    orders = np.empty_like(drawn)
    orders[:, home] = drawn
    return orders


def p_value(observed: float, null: np.ndarray) -> float:
    """The share of the null [permutations] that is as large, the observed one counted in (Phipson and Smyth 2010).

    >>> p_value(5.0, np.zeros(99))  # the least that 99 permutations can show
    0.01
    """
    if not np.isfinite(observed):
        return float("nan")
    null = null[np.isfinite(null)]
    return float((1 + np.sum(null >= observed - 1e-9)) / (1 + len(null)))


def false_discovery(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """q-values of p-values [m] by Benjamini and Hochberg (1995), NaN where p is: float64 [m].

    Calling all q <= 0.05 makes at most 5 % of the calls wrong on average, if the tests are independent or positively
    dependent.
    """
    p = np.asarray(p, float)
    q = np.full(len(p), np.nan)
    finite = np.isfinite(p)
    if finite.any():
        q[finite] = stats.false_discovery_control(p[finite], method="bh")
    return q


def smallest_effect(null: np.ndarray, error: float | None = None, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest excess over chance that a one-sided test of this size would have found with the given power.

    Args:
        null: the statistic under permutations [permutations].
        error: standard deviation of the statistic where there is an effect, from the bootstrap; None: as in the null.
        power: probability of finding it.
        alpha: of the test.
    """
    null = null[np.isfinite(null)]
    if len(null) < 2:
        return float("nan")
    spread = float(null.std()) if error is None or not np.isfinite(error) else error
    return float(np.quantile(null, 1 - alpha) - null.mean() + stats.norm.ppf(power) * spread)


def smallest_difference(error: float, clusters: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest difference that a two-sided test with this standard error would have found with the given power."""
    if clusters < 2:
        return float("nan")
    return float((stats.t.ppf(1 - alpha / 2, clusters - 1) + stats.norm.ppf(power)) * error)


def proportion_interval(hits: np.ndarray, clusters: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's interval (1927) of the share of true rows, at the sample size that the clusters leave: low, high.

    The design effect is estimated and never taken to be below 1, as Korn and Graubard (1998) do. That makes the sample
    size a fraction, which scipy's ``binomtest(...).proportion_ci`` does not take.

    Args:
        hits: bool [n].
        clusters: of each row [n].
        level: of the interval.
    """
    n = len(hits)
    if not n:
        return float("nan"), float("nan")
    share = hits.mean()
    effect = 1.0
    _, codes = np.unique(clusters, return_inverse=True)
    groups = int(codes.max()) + 1
    if 1 < groups < n and 0 < share < 1:
        sums = np.bincount(codes, weights=hits - share)
        effect = max(1.0, (sums**2).sum() * groups / (groups - 1) / (n * share * (1 - share)))
    elif groups == 1 < n:
        effect = float(n)
    size, z = n / effect, stats.norm.ppf((1 + level) / 2)
    centre = (share + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z * np.sqrt(share * (1 - share) / size + z**2 / (4 * size**2)) / (1 + z**2 / size)
    return float(centre - half), float(centre + half)


def _correction(clusters: int) -> float:
    """What a variance of Bayesian bootstrap draws is too small by: it divides by n + 1 where n - 1 would be right."""
    return (clusters + 1) / (clusters - 1)
