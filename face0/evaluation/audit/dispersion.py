"""How the faces of each prompt are spread: among themselves, from the other prompts', and from a reference."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from face0.evaluation.audit.arms import Arm
from face0.evaluation.audit.by_prompt import (
    ByPrompt,
    jackknifed,
    mean_row,
    means_of_rows,
    prompt_row,
    prompt_rows,
)
from face0.evaluation.audit.effort import Resampling
from face0.evaluation.measures import Measure, measured, replaced
from face0.statistics import clusters
from face0.statistics.distances import distance_to_reference, prompt_distances
from face0.statistics.diversity import diversity
from face0.statistics.ratio import ratio
from face0.statistics.resampling import false_discovery, from_draws, p_value, smallest_effect
from face0.statistics.variance import variance_shares

OTHERS = "the arm's other prompts"


def distance_measures(
    arm: Arm, encoder: str, prompts: list[str], effort: Resampling
) -> tuple[list[ByPrompt], list[Measure]]:
    """How alike the faces of a prompt are, and how far from those of the others, tested by prompt."""
    vectors, design = arm.seen(encoder)
    distances = prompt_distances(vectors, design, effort.resamples, effort.permutations, effort.seed)
    common: dict[str, Any] = {
        "encoder": encoder,
        "clusters": design.clusters,
        "images": np.bincount(design.prompt, minlength=design.prompts),
    }
    similarity = ByPrompt(measure="similarity", values=distances.similarity, draws=distances.similarity_draws, **common)
    energy = ByPrompt(
        measure="energy_distance",
        values=distances.energy,
        draws=distances.energy_draws,
        null_value=0.0,
        reference=OTHERS,
        listed_only=True,
        **common,
    )
    q = false_discovery(
        [p_value(value, null) for value, null in zip(distances.energy, distances.energy_null.T, strict=True)]
    )
    finite = np.isfinite(distances.energy)
    null_mean = ratio(distances.energy_null[:, finite].sum(axis=1), np.full(effort.permutations, finite.sum()))
    tested = [
        _tested(prompt_row(energy, code, arm, prompts), distances.energy_null[:, code], q[code])
        for code in energy.codes
    ]
    tested.append(_tested(mean_row(energy, arm), null_mean))
    return [similarity, energy], [*prompt_rows(similarity, arm, prompts), *tested]


def _tested(row: Measure, null: np.ndarray, q: float | None = None) -> Measure:
    """The row with its p against values drawn under the null hypothesis [permutations]."""
    value = float("nan") if row.value is None else row.value
    return replaced(row, p=p_value(value, null), q=q, smallest_effect=smallest_effect(null, row.error))


def reference_distance(
    arm: Arm, encoder: str, reference: np.ndarray, names: np.ndarray, name: str, effort: Resampling
) -> ByPrompt:
    """Energy distance of each prompt's faces to the reference.

    Args:
        arm: of whose faces.
        encoder: that saw them and made the reference.
        reference: unit vectors [m, d].
        names: of these vectors [m].
        name: of the reference.
        effort: of the bootstrap.
    """
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


def variance_measures(arm: Arm, encoder: str, effort: Resampling) -> Iterator[Measure]:
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


def diversity_measures(arm: Arm, encoder: str, size: int, prompts: list[str], effort: Resampling) -> Iterator[Measure]:
    """Vendi score and effective rank of so many faces of a prompt."""
    vectors, design = arm.seen(encoder)

    def statistic(rows: np.ndarray) -> np.ndarray:
        figures = diversity(vectors[rows], design.prompt[rows], design.prompts, size, effort.seed)
        return np.concatenate([figures, means_of_rows(figures)[:, None]], axis=1).ravel()

    yield from jackknifed(
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
    one_hot = np.eye(len(centres))[clusters.nearest(vectors, centres)]
    expected = np.bincount(clusters.nearest(reference, centres), minlength=len(centres))[None]
    member = np.eye(design.prompts)[design.prompt]

    def statistic(rows: np.ndarray) -> np.ndarray:
        counts = member[rows].T @ one_hot[rows]
        figures = np.stack(
            [
                clusters.entropy(counts),
                clusters.divergence(counts, counts.sum(axis=0) - counts),
                clusters.divergence(counts, expected),
            ]
        )
        return np.concatenate([figures, means_of_rows(figures)[:, None]], axis=1).ravel()

    compared: dict[str, dict[str, Any]] = {
        "cluster_entropy": {"reference": f"uniform: {np.log2(len(centres)):.2f} bits"},
        "divergence_from_others": {"reference": OTHERS, "null_value": 0.0},
        "divergence_from_reference": {"reference": name, "null_value": 0.0},
    }
    for row in jackknifed(statistic, tuple(compared), arm, encoder, design, prompts, reference=""):
        yield replaced(row, **compared[row.measure])
