"""The measures of an audit, each by prompt and over all prompts of an arm. Definitions and sources: docs/audit.md."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import stats

from face0 import face_clusters
from face0.audit_arms import Arm
from face0.diversity import diversity
from face0.face_distances import distance_to_reference, prompt_distances, variance_shares
from face0.fidelity import follows_input, follows_vector
from face0.label_probe import Labels, Probe
from face0.leakage import Leakage, leakage
from face0.measure_rows import PROMPTS_AND_VECTORS, VECTORS, Measure, measured, replaced
from face0.paired_design import FACE, Design
from face0.resampling import (
    Estimate,
    false_discovery,
    from_draws,
    from_error,
    jackknife,
    over_prompts,
    p_value,
    permutations_within,
    proportion_interval,
    smallest_difference,
    smallest_effect,
)

OTHERS = "the arm's other prompts"
SHARES = ("leakage", "follows_input", "follows_vector")  # 0..1


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is drawn.

    Attributes:
        resamples: of the bootstrap.
        permutations: of each test; p-values are no smaller than 1 / (permutations + 1).
        seed: of all that is drawn.
    """

    resamples: int = 999
    permutations: int = 999
    seed: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class ByPrompt:
    """A measure of each prompt of an arm, in bootstrap resamples too, so that arms can be subtracted."""

    measure: str
    encoder: str
    values: np.ndarray  # [prompts], NaN where there is nothing to measure
    draws: np.ndarray  # [resamples, prompts]
    clusters: int
    images: np.ndarray  # that count, of each prompt [prompts]
    null_value: float | None = None
    reference: str = ""
    # Whether the mean is about these prompts only, as it is where prompts are compared with one another
    listed_only: bool = False
    floor: float = 0.0  # a standard error that the mean's is not below
    # The mean of each cluster that arms may share, by name; empty where clusters have no value of their own
    by_cluster: Mapping[str, float] = field(default_factory=dict)

    def mean(self) -> Estimate:
        """Over the prompts."""
        if not self.listed_only:
            return over_prompts(self.values, self.draws, self.clusters)
        known = np.isfinite(self.values)
        if not known.any():
            return Estimate(float("nan"))
        estimate = from_draws(self.values[known].mean(), self.draws[:, known].mean(axis=1), self.clusters)
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


def image_measures(arm: Arm, effort: Effort) -> Iterator[ByPrompt]:
    """What needs no face: how often there is one, and how well the text is followed."""
    yield row_means("face_found", "", arm.found.astype(float), arm.design, effort)
    if np.isfinite(arm.text).any():
        yield row_means("text_alignment", "", arm.text, arm.design, effort)


def row_means(
    measure: str, encoder: str, values: np.ndarray, design: Design, effort: Effort, null_value: float | None = None
) -> ByPrompt:
    """Means over the images of each prompt of something that each image has, or NaN [n]."""
    known = np.isfinite(values)
    member = np.eye(design.prompts)[design.prompt] * known[:, None]
    filled = np.where(known, values, 0)[:, None] * member
    drawn = design.weights(effort.resamples, effort.seed)
    return ByPrompt(
        measure=measure,
        encoder=encoder,
        values=_ratio(filled.sum(axis=0), member.sum(axis=0)),
        draws=_ratio(drawn @ filled, drawn @ member),
        clusters=design.take(known).clusters,
        images=member.sum(axis=0),
        null_value=null_value,
        by_cluster=_cluster_means(values, design),
    )


def found_rows(arm: Arm, by_prompt: ByPrompt, prompts: list[str], effort: Effort) -> Iterator[Measure]:
    """The share of images with a face, with Wilson's intervals, and whether it is the same for all prompts.

    p: of a share as far from the mean of all; for all prompts together, of shares that differ as much.
    """
    design, found = arm.design, arm.found.astype(float)
    member = np.eye(design.prompts)[design.prompt]
    counts = np.maximum(member.sum(axis=0), 1)
    null = found[permutations_within(design.blocks, effort.permutations, effort.seed + 2)] @ member / counts
    centre = null.mean(axis=0)
    away, null_away = np.abs(by_prompt.values - centre), np.abs(null - centre)
    p = np.array([p_value(a, b) for a, b in zip(away, null_away.T, strict=True)])
    asked = by_prompt.images > 0
    q = false_discovery(np.where(asked, p, np.nan))
    fields = {"measure": "face_found", "arm": arm.name, "settings": arm.settings}
    for code in np.flatnonzero(asked):
        mine = design.prompt == code
        low, high = proportion_interval(arm.found[mine], design.cluster[mine])
        estimate = Estimate(by_prompt.values[code], float("nan"), low, high)
        yield measured(estimate, prompt=prompts[code], p=p[code], q=q[code], images=int(counts[code]), **fields)
    low, high = proportion_interval(arm.found, design.cluster)
    spread, null_spread = (away[asked] ** 2).sum(), (null_away[:, asked] ** 2).sum(axis=1)
    yield measured(
        Estimate(found.mean(), float("nan"), low, high), p=p_value(spread, null_spread), images=len(found), **fields
    )


def rows(by_prompt: ByPrompt, arm: Arm, prompts: list[str]) -> Iterator[Measure]:
    """A row for each prompt, and one for all."""
    fields = _fields(by_prompt, arm)
    for code in np.flatnonzero(by_prompt.images > 0):
        estimate = from_draws(by_prompt.values[code], by_prompt.draws[:, code], by_prompt.clusters)
        yield measured(estimate, prompt=prompts[code], images=by_prompt.images[code].item(), **fields)
    mean = by_prompt.mean()
    if by_prompt.measure in SHARES:
        mean = replace(mean, low=max(mean.low, 0.0), high=min(mean.high, 1.0))
    yield measured(mean, images=int(by_prompt.images.sum()), over=_over(by_prompt), **fields)


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


def exchange_p(one: ByPrompt, other: ByPrompt, effort: Effort) -> float | None:
    """Two-sided p of a difference of two arms, which are exchanged cluster by cluster: what is due to chance alone?

    scipy's permutation_test of paired samples. None where fewer than two clusters are in both.
    """
    shared = sorted(one.by_cluster.keys() & other.by_cluster.keys())
    if len(shared) < 2:
        return None
    first, second = (np.array([each.by_cluster[name] for name in shared]) for each in (one, other))
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


def distance_measures(
    arm: Arm, encoder: str, prompts: list[str], effort: Effort
) -> tuple[list[ByPrompt], list[Measure]]:
    """How alike the faces of a prompt are, and how far from those of the others, tested by prompt."""
    vectors, design = arm.seen(encoder)
    found = prompt_distances(vectors, design, effort.resamples, effort.permutations, effort.seed)
    common: dict[str, Any] = {
        "encoder": encoder,
        "clusters": design.clusters,
        "images": np.bincount(design.prompt, minlength=design.prompts),
    }
    similarity = ByPrompt(measure="similarity", values=found.similarity, draws=found.similarity_draws, **common)
    energy = ByPrompt(
        measure="energy_distance",
        values=found.energy,
        draws=found.energy_draws,
        null_value=0.0,
        reference=OTHERS,
        listed_only=True,
        **common,
    )
    q = false_discovery([p_value(value, null) for value, null in zip(found.energy, found.energy_null.T, strict=True)])
    known = np.isfinite(found.energy)
    null_mean = _ratio(found.energy_null[:, known].sum(axis=1), np.full(effort.permutations, known.sum()))
    tested = []
    for row in rows(energy, arm, prompts):
        code = None if row.prompt is None else prompts.index(row.prompt)
        null = null_mean if code is None else found.energy_null[:, code]
        value = float("nan") if row.value is None else row.value
        q_value = None if code is None else q[code]
        smallest = smallest_effect(null, row.error)
        tested.append(replaced(row, p=p_value(value, null), q=q_value, smallest_effect=smallest))
    return [similarity, energy], [*rows(similarity, arm, prompts), *tested]


def leakage_measures(arm: Arm, encoder: str, prompts: list[str], effort: Effort) -> Iterator[Measure]:
    """How well the prompt is read off a face, of all prompts and of each."""
    vectors, design = arm.seen(encoder)
    if not can_be_told(design):
        return
    found = leakage(vectors, design, effort.permutations, seed=effort.seed)
    for row in rows(told(found, design, encoder, effort), arm, prompts):
        if row.prompt is None:
            smallest = smallest_effect(found.null, row.error)
            row = replaced(row, p=p_value(found.accuracy, found.null), smallest_effect=smallest)
        yield row


def can_be_told(design: Design) -> bool:
    """Whether there are faces of two prompts, and clusters to keep apart."""
    return len(np.unique(design.prompt)) > 1 and design.clusters > 2


def told(found: Leakage, design: Design, encoder: str, effort: Effort) -> ByPrompt:
    """The share of each prompt's faces that were told right; chance is one over the prompts that have faces."""
    by_prompt = row_means("leakage", encoder, found.correct.astype(float), design, effort)
    chance = 1 / len(np.unique(design.prompt))
    return replace(
        by_prompt,
        null_value=chance,
        reference="chance",
        listed_only=True,
        # Folds share training faces, which the bootstrap of what was told does not see and the permutations do; a
        # share's spread goes with its own size
        floor=float(found.null.std() * np.sqrt(found.accuracy * (1 - found.accuracy) / (chance * (1 - chance)))),
    )


def leakage_contrast(arm: Arm, against: Arm, encoder: str, effort: Effort) -> Iterator[Measure]:
    """The difference of two arms' leakage, from one face of each prompt and seed: more faces would teach more."""
    sides = []
    for each in (arm, against):
        vectors, design = each.seen(encoder)
        one = one_per_seed(design)
        vectors, design = vectors[one], design.take(one)
        if not can_be_told(design):
            return
        sides.append(told(leakage(vectors, design, effort.permutations, seed=effort.seed), design, encoder, effort))
    one_told, other_told = sides
    yield contrast(one_told, other_told, arm, against, exchange_p(one_told, other_told, effort))


def one_per_seed(design: Design) -> np.ndarray:
    """Positions of one row for each prompt and seed, such that a seed goes with one vector in all prompts."""
    seeds = np.unique(design.seed, return_inverse=True)[1]
    faces, face = np.unique(design.face, return_inverse=True)
    # In the order of vectors, beginning with another one for each seed
    turn = (face - seeds) % len(faces)
    order = np.lexsort((turn, seeds, design.prompt))
    keys = np.stack([design.prompt, seeds])[:, order]
    first = np.ones(len(order), bool)
    first[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    return np.sort(order[first])


def variance_measures(arm: Arm, encoder: str, effort: Effort) -> Iterator[Measure]:
    """Shares of the variance of the faces due to words, face and seed."""
    vectors, design = arm.seen(encoder)
    for group, (value, draws) in variance_shares(vectors, design, effort.resamples, effort.seed).items():
        yield measured(
            from_draws(value, draws, design.clusters),
            measure="variance_share",
            encoder=encoder,
            arm=arm.name,
            settings=arm.settings,
            group=group,
            null_value=0.0,
            images=len(vectors),
        )


def diversity_measures(arm: Arm, encoder: str, size: int, prompts: list[str], effort: Effort) -> Iterator[Measure]:
    """Vendi score and effective rank of so many faces of a prompt."""
    vectors, design = arm.seen(encoder)

    def statistic(rows: np.ndarray) -> np.ndarray:
        found = diversity(vectors[rows], design.prompt[rows], design.prompts, size, effort.seed)
        return np.concatenate([found, _mean(found)[:, None]], axis=1).ravel()

    yield from _jackknifed(
        statistic, ("vendi_score", "effective_rank"), arm, encoder, design, prompts, reference=f"of {size:,} faces"
    )


def cluster_measures(
    arm: Arm, encoder: str, centres: np.ndarray, reference: np.ndarray, name: str, prompts: list[str]
) -> Iterator[Measure]:
    """Entropy over clusters that were fixed beforehand, and divergence from the other prompts and from the reference.

    Args:
        arm: of whose faces.
        encoder: that saw them and made the reference.
        centres: unit vectors [k, d].
        reference: unit vectors [m, d].
        name: of the reference.
        prompts: of the audit.
    """
    vectors, design = arm.seen(encoder)
    one_hot = np.eye(len(centres))[face_clusters.nearest(vectors, centres)]
    expected = np.bincount(face_clusters.nearest(reference, centres), minlength=len(centres))[None]
    member = np.eye(design.prompts)[design.prompt]

    def statistic(rows: np.ndarray) -> np.ndarray:
        counts = member[rows].T @ one_hot[rows]
        found = np.stack(
            [
                face_clusters.entropy(counts),
                face_clusters.divergence(counts, counts.sum(axis=0) - counts),
                face_clusters.divergence(counts, expected),
            ]
        )
        return np.concatenate([found, _mean(found)[:, None]], axis=1).ravel()

    compared: dict[str, dict[str, Any]] = {
        "cluster_entropy": {"reference": f"uniform: {np.log2(len(centres)):.2f} bits"},
        "divergence_from_others": {"reference": OTHERS, "null_value": 0.0},
        "divergence_from_reference": {"reference": name, "null_value": 0.0},
    }
    for row in _jackknifed(statistic, tuple(compared), arm, encoder, design, prompts, reference=""):
        yield replaced(row, **compared[row.measure])


def reference_distance(
    arm: Arm, encoder: str, reference: np.ndarray, names: np.ndarray, name: str, effort: Effort
) -> ByPrompt:
    """Energy distance of each prompt's faces to the reference [m, d]."""
    vectors, design = arm.seen(encoder)
    values, draws = distance_to_reference(vectors, design, reference, names, effort.resamples, effort.seed)
    return ByPrompt(
        measure="distance_to_reference",
        encoder=encoder,
        values=values,
        draws=draws,
        clusters=design.clusters,
        images=np.bincount(design.prompt, minlength=design.prompts),
        null_value=0.0,
        reference=name,
    )


def follows_input_means(
    arm: Arm, encoder: str, names: np.ndarray, inputs: np.ndarray, effort: Effort
) -> Iterator[ByPrompt]:
    """Whether a face resembles the vector that was asked for more than others; nothing where vectors do not vary.

    Args:
        arm: of the faces.
        encoder: that saw them.
        names: of the vectors that were asked for [m].
        inputs: unit vectors by the same encoder [m, d].
        effort: of the bootstrap.
    """
    vectors, design = arm.seen(encoder)
    asked = np.isin(names, design.face)  # against those of this arm only: others may be unlike them as a kind
    if asked.sum() > 1:
        won = follows_input(vectors, design.face, inputs[asked], names[asked])
        yield row_means("follows_input", encoder, won, design, effort, 0.5)


def follows_vector_means(arm: Arm, encoder: str, effort: Effort) -> Iterator[ByPrompt]:
    """Whether faces of one vector resemble one another across prompts; nothing where vectors do not vary."""
    vectors, design = arm.seen(encoder)
    if design.faces_vary:
        won, apart = follows_vector(vectors, design)
        if np.isfinite(won).any():
            found = row_means("follows_vector", encoder, won, design, effort, 0.5)
            yield replace(found, reference="" if apart else "seeds are shared with the vector")


def group_measures(
    arm: Arm, encoder: str, labels: Labels, probe: Probe, prompts: list[str], effort: Effort
) -> Iterator[Measure]:
    """Shares of the groups of a label by the probe; and what they may be at most and at least if every image counts."""
    vectors, design = arm.seen(encoder)
    member = np.eye(design.prompts)[design.prompt]
    occurs = member.any(axis=0)
    # The last set is all prompts alike, whatever the number of faces found
    sets = np.concatenate([member, (member / np.maximum(member.sum(axis=0), 1)).sum(axis=1, keepdims=True)], axis=1)
    values, draws = probe.shares(
        probe.predict(vectors), sets, design.weights(effort.resamples, effort.seed), effort.seed
    )
    every = np.bincount(arm.design.prompt, minlength=design.prompts)
    rate = np.divide(member.sum(axis=0), every, out=np.zeros(design.prompts), where=every > 0)
    rate = np.append(rate, rate[every > 0].mean())
    target = labels.shares(list(probe.names))
    for place, prompt in enumerate([*prompts, None]):
        if prompt is not None and not occurs[place]:
            continue
        images = int(member.sum() if prompt is None else member[:, place].sum())
        for code, group in enumerate(probe.names):
            fields: dict[str, Any] = {
                "encoder": encoder,
                "arm": arm.name,
                "settings": arm.settings,
                "prompt": prompt,
                "group": f"{labels.name}: {group}",
            }
            estimate = _share(from_draws(values[place, code], draws[:, place, code], design.clusters))
            yield measured(
                estimate,
                measure="group_share",
                null_value=target[code],
                reference=labels.target_name,
                images=images,
                **fields,
            )
            least = estimate.value * rate[place]
            yield measured(
                Estimate(float("nan"), float("nan"), least, least + 1 - rate[place]),
                measure="group_share_whatever_is_missing",
                reference="no interval: bounds, if all images without a face were of other groups, or of this one",
                images=images,
                **fields,
            )


def _share(estimate: Estimate) -> Estimate:
    """Within 0..1; NaN where the whole interval is outside, since no share of the groups could look like that."""
    if estimate.low > 1 or estimate.high < 0:
        return Estimate(float("nan"))
    value, low, high = (float(np.clip(each, 0, 1)) for each in (estimate.value, estimate.low, estimate.high))
    return Estimate(value, estimate.error, low, high)


def found_by_group(arm: Arm, labels: Labels) -> Iterator[Measure]:
    """The share of images with a face, by the label of the vector that was asked for."""
    group_of: Mapping[str, str] = dict(zip(labels.face_ids, labels.groups, strict=True))
    groups = np.array([group_of.get(face, "") for face in arm.design.face])
    for group in np.unique(groups[groups != ""]):
        mine = groups == group
        low, high = proportion_interval(arm.found[mine], arm.design.take(mine).cluster)
        yield measured(
            Estimate(arm.found[mine].mean(), float("nan"), low, high),
            measure="face_found",
            arm=arm.name,
            settings=arm.settings,
            group=f"{labels.name} asked for: {group}",
            images=int(mine.sum()),
        )


def _jackknifed(
    statistic: Any,
    measures: tuple[str, ...],
    arm: Arm,
    encoder: str,
    design: Design,
    prompts: list[str],
    reference: str,
) -> Iterator[Measure]:
    """Rows of a statistic [measures x (prompts, then their mean)] with jackknife intervals."""
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
    levels = next(each for name, each in factors.items() if name != FACE) if set(factors) != {FACE} else design.seed
    names, codes = np.unique(levels, return_inverse=True)
    known = np.isfinite(values)
    sums = np.bincount(codes[known], weights=values[known], minlength=len(names))
    counts = np.bincount(codes[known], minlength=len(names))
    return {str(name): sums[i] / counts[i] for i, name in enumerate(names) if counts[i]}


def _mean(table: np.ndarray) -> np.ndarray:
    """Over the prompts that are known, of [measures, prompts]."""
    known = np.isfinite(table)
    return _ratio(np.where(known, table, 0).sum(axis=1), known.sum(axis=1))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
