"""A measure of each prompt of an arm, in bootstrap resamples too, and the rows that it becomes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import stats

from face0.evaluation.audit.arms import Arm
from face0.evaluation.audit.effort import Resampling
from face0.evaluation.measures import PROMPTS_AND_VECTORS, VECTORS, Measure, measured
from face0.statistics.design import FACE, Design
from face0.statistics.ratio import ratio
from face0.statistics.resampling import (
    Estimate,
    from_draws,
    from_error,
    jackknife,
    over_prompts,
    smallest_difference,
)

SHARES = ("leakage", "follows_input", "follows_vector")  # 0..1


@dataclass(frozen=True, eq=False, kw_only=True)
class ByPrompt:
    """A measure of each prompt of an arm, in bootstrap resamples too, so that arms can be subtracted.

    Attributes:
        measure: its name.
        encoder: that saw the faces; empty where none is needed.
        values: [prompts], NaN where there is nothing to measure.
        draws: the same in bootstrap resamples [resamples, prompts].
        clusters: independent groups of images.
        images: that count, of each prompt [prompts].
        null_value: of the null hypothesis; None: there is none.
        reference: what is compared with, in words.
        listed_only: whether the mean is about these prompts only, as it is where prompts are compared with one another.
        floor: a standard error that the mean's is not below.
        by_cluster: the mean of each cluster that arms may share, by name; empty where clusters have no value of their
            own.
    """

    measure: str
    encoder: str
    values: np.ndarray
    draws: np.ndarray
    clusters: int
    images: np.ndarray
    null_value: float | None = None
    reference: str = ""
    listed_only: bool = False
    floor: float = 0.0
    by_cluster: Mapping[str, float] = field(default_factory=dict)

    @property
    def codes(self) -> list[int]:
        """Places of the prompts that have images."""
        return np.flatnonzero(self.images > 0).tolist()

    def mean(self) -> Estimate:
        """The mean over the prompts that have a value, with its interval; NaN if none has."""
        if not self.listed_only:
            return over_prompts(self.values, self.draws, self.clusters)
        finite = np.isfinite(self.values)
        if not finite.any():
            return Estimate(float("nan"))
        estimate = from_draws(self.values[finite].mean(), self.draws[:, finite].mean(axis=1), self.clusters)
        return from_error(estimate.value, max(estimate.error, self.floor), self.clusters - 1)

    def less(self, other: "ByPrompt") -> "ByPrompt":
        """The difference to the same measure of another arm, prompt by prompt."""
        return ByPrompt(
            measure=self.measure,
            encoder=self.encoder,
            values=self.values - other.values,
            draws=self.draws - other.draws,
            clusters=min(self.clusters, other.clusters),
            images=np.minimum(self.images, other.images),
            null_value=0.0,
            listed_only=self.listed_only,
            floor=float(np.hypot(self.floor, other.floor)),
        )


def row_means(
    measure: str, encoder: str, values: np.ndarray, design: Design, effort: Resampling, null_value: float | None = None
) -> ByPrompt:
    """Means over the images of each prompt.

    Args:
        measure: its name.
        encoder: that saw the faces; empty where none is needed.
        values: of each image [n], NaN where it has none.
        design: of the images.
        effort: of the bootstrap.
        null_value: see ``ByPrompt``.
    """
    finite = np.isfinite(values)
    member = np.eye(design.prompts)[design.prompt] * finite[:, None]
    filled = np.where(finite, values, 0)[:, None] * member
    drawn = design.weights(effort.resamples, effort.seed)
    return ByPrompt(
        measure=measure,
        encoder=encoder,
        values=ratio(filled.sum(axis=0), member.sum(axis=0)),
        draws=ratio(drawn @ filled, drawn @ member),
        clusters=design.take(finite).clusters,
        images=member.sum(axis=0),
        null_value=null_value,
        by_cluster=_cluster_means(values, design),
    )


def prompt_rows(by_prompt: ByPrompt, arm: Arm, prompts: list[str]) -> Iterator[Measure]:
    """A row for each prompt, and one for all."""
    for code in by_prompt.codes:
        yield prompt_row(by_prompt, code, arm, prompts)
    yield mean_row(by_prompt, arm)


def prompt_row(by_prompt: ByPrompt, code: int, arm: Arm, prompts: list[str]) -> Measure:
    """The row of one prompt, by its place among the prompts."""
    estimate = from_draws(by_prompt.values[code], by_prompt.draws[:, code], by_prompt.clusters)
    return measured(estimate, prompt=prompts[code], images=by_prompt.images[code].item(), **_fields(by_prompt, arm))


def mean_row(by_prompt: ByPrompt, arm: Arm) -> Measure:
    """The row of the mean over the prompts."""
    mean = by_prompt.mean()
    if by_prompt.measure in SHARES:
        mean = replace(mean, low=max(mean.low, 0.0), high=min(mean.high, 1.0))
    return measured(mean, images=int(by_prompt.images.sum()), over=_over(by_prompt), **_fields(by_prompt, arm))


def contrast(one: ByPrompt, other: ByPrompt, arm: Arm, against: Arm, p: float | None) -> Measure:
    """The difference of two arms over all prompts, with the smallest one that could have been seen."""
    difference = one.less(other)
    estimate = difference.mean()
    return measured(
        estimate,
        against=against.title,
        images=int(difference.images.sum()),
        over=_over(difference),
        smallest_effect=smallest_difference(estimate.error, difference.clusters),
        p=p,
        **_fields(difference, arm),
    )


def exchange_p(one: ByPrompt, other: ByPrompt, effort: Resampling) -> float | None:
    """Two-sided p of a difference of two arms, which are exchanged cluster by cluster: what is due to chance alone?

    scipy's permutation_test of paired samples. None where fewer than two clusters are in both.
    """
    shared = sorted(one.by_cluster.keys() & other.by_cluster.keys())
    if len(shared) < 2:
        return None
    first, second = (np.array([by_prompt.by_cluster[name] for name in shared]) for by_prompt in (one, other))
    if np.array_equal(first, second):
        return 1.0
    test = stats.permutation_test(
        (first, second),
        lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=effort.permutations,
        rng=np.random.default_rng(effort.seed),
    )
    return float(test.pvalue)


def jackknifed(
    statistic: Any,
    measures: tuple[str, ...],
    arm: Arm,
    encoder: str,
    design: Design,
    prompts: list[str],
    reference: str,
) -> Iterator[Measure]:
    """Rows of a statistic, with jackknife intervals.

    Args:
        statistic: takes a mask of the images, bool [n], to values [measures * (prompts + 1)]: of each measure those of
            the prompts, then their mean.
        measures: their names.
        arm: of the images.
        encoder: that saw the faces.
        design: of the n images.
        prompts: of the audit.
        reference: what is compared with, in words.
    """
    values = statistic(np.ones(len(design.prompt), bool))
    with np.errstate(invalid="ignore"):
        errors, freedom = jackknife(statistic, design.factors.values())
    counts = np.bincount(design.prompt, minlength=design.prompts)
    shape = len(measures), design.prompts + 1
    table = zip(measures, values.reshape(shape), errors.reshape(shape), strict=True)
    for measure, of_prompts, their_errors in table:
        for place, prompt in enumerate([*prompts, None]):
            images = int(counts.sum() if prompt is None else counts[place])
            if images:
                yield measured(
                    from_error(of_prompts[place], their_errors[place], freedom),
                    measure=measure,
                    encoder=encoder,
                    arm=arm.name,
                    settings=arm.settings,
                    prompt=prompt,
                    images=images,
                    reference=reference,
                )


def means_of_rows(table: np.ndarray) -> np.ndarray:
    """The mean of each row of [measures, prompts] over the prompts that are finite: [measures]."""
    finite = np.isfinite(table)
    return ratio(np.where(finite, table, 0).sum(axis=1), finite.sum(axis=1))


def _fields(by_prompt: ByPrompt, arm: Arm) -> dict[str, Any]:
    return {
        "measure": by_prompt.measure,
        "encoder": by_prompt.encoder,
        "arm": arm.name,
        "settings": arm.settings,
        "null_value": by_prompt.null_value,
        "reference": by_prompt.reference,
    }


def _over(by_prompt: ByPrompt) -> str:
    return VECTORS if by_prompt.listed_only else PROMPTS_AND_VECTORS


def _cluster_means(values: np.ndarray, design: Design) -> dict[str, float]:
    """The mean of each cluster: its seed or group, since other arms have no vectors to share."""
    factors = design.factors
    levels = next(factor for name, factor in factors.items() if name != FACE) if set(factors) != {FACE} else design.seed
    names, codes = np.unique(levels, return_inverse=True)
    finite = np.isfinite(values)
    sums = np.bincount(codes[finite], weights=values[finite], minlength=len(names))
    counts = np.bincount(codes[finite], minlength=len(names))
    return {str(name): sums[i] / counts[i] for i, name in enumerate(names) if counts[i]}
