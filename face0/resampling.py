"""Resampling: intervals from whole clusters, tests within blocks, false discoveries, the smallest effect to be seen.

Images of one face, one seed or one prompt resemble one another, so rows are never resampled one by one.
"""

import zlib
from collections.abc import Callable, Sequence

import numpy as np
from scipy import sparse, stats

LEVEL = 0.95


def connected(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rows [n] that share a level of either factor, directly or through others, get one number: int [n]."""
    _, a = np.unique(first, return_inverse=True)
    _, b = np.unique(second, return_inverse=True)
    size = a.max() + b.max() + 2
    graph = sparse.coo_array((np.ones(len(a)), (a, a.max() + 1 + b)), shape=(size, size))
    return sparse.csgraph.connected_components(graph, directed=False)[1][a]


def multiplicities(factor: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """How often each resample has the cluster of each row: float32 [resamples, n].

    As many clusters as there are, drawn with replacement. Two factors with the same levels get the same draws, so that
    arms which share their seeds are resampled together and their differences stay paired. The product of the
    multiplicities of several factors is the pigeonhole bootstrap (Owen 2007), which errs on the wide side.

    Args:
        factor: the cluster of each row, by name or number [n].
        resamples: how many.
        seed: of the draws.
    """
    levels, codes = np.unique(factor, return_inverse=True)
    rng = np.random.default_rng([seed, zlib.crc32("\0".join(map(str, levels)).encode())])
    counts = rng.multinomial(len(levels), np.full(len(levels), 1 / len(levels)), size=resamples)
    return counts.astype(np.float32)[:, codes]


def interval(draws: np.ndarray, clusters: int, level: float = LEVEL) -> tuple[float, float]:
    """The expanded percentile interval (Hesterberg 2015) of bootstrap draws [resamples]: low, high.

    A plain percentile interval is too narrow for few clusters; its levels are moved out until it is as wide, for a
    mean, as Student's. NaN draws (a resample that lacks what is measured) are left out. NaN twice where there are
    fewer than two clusters or draws.
    """
    draws = draws[np.isfinite(draws)]
    if clusters < 2 or len(draws) < 2:
        return float("nan"), float("nan")
    wide = np.sqrt(clusters / (clusters - 1)) * stats.t.ppf((1 - level) / 2, clusters - 1)
    tail = stats.norm.cdf(wide)
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def jackknife_interval(
    statistic: Callable[[np.ndarray], float], clusters: np.ndarray, groups: int = 20, level: float = LEVEL
) -> tuple[float, float]:
    """Student's interval from leaving out a group of clusters at a time (Efron and Stein 1981): low, high about 0.

    For statistics that repeated rows would spoil, as they do those of diversity.

    Args:
        statistic: of the rows under a bool mask [n].
        clusters: of each row [n].
        groups: at most; clusters are dealt to them in turn.
        level: of the interval.
    """
    _, codes = np.unique(clusters, return_inverse=True)
    group = codes % groups
    count = int(group.max()) + 1
    if count < 3:
        return float("nan"), float("nan")
    left = np.array([statistic(group != each) for each in range(count)])
    error = np.sqrt((count - 1) * np.mean((left - left.mean()) ** 2))
    half = float(stats.t.ppf((1 + level) / 2, count - 1) * error)
    return -half, half


def permutations_within(blocks: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Orders of the rows that move them within their blocks [n] only: int [count, n]."""
    _, codes = np.unique(blocks, return_inverse=True)
    home = np.argsort(codes, kind="stable")
    drawn = np.argsort(codes + np.random.default_rng(seed).random((count, len(codes))), axis=1)
    orders = np.empty_like(drawn)
    orders[:, home] = drawn
    return orders


def p_value(observed: float, null: np.ndarray) -> float:
    """The share of the null [permutations] that is as large, the observed one counted in (Phipson and Smyth 2010)."""
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
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(-p[known], kind="stable")]
    ranks = np.arange(len(order), 0, -1)
    q[order] = np.minimum.accumulate(np.minimum(p[order] * len(order) / ranks, 1)) if len(order) else p[order]
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

    The design effect is estimated and never taken to be below 1, as Korn and Graubard (1998) do.

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
