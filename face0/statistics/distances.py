"""Distances between the faces of a sweep: how alike, how far from each other and from a reference, due to what."""

from dataclasses import dataclass

import numpy as np

from face0.statistics.design import Design
from face0.statistics.ratio import ratio
from face0.statistics.resampling import permutations_within, weights


@dataclass(frozen=True, eq=False)
class PromptDistances:
    """Per prompt, as measured, resampled and permuted. NaN where there are no two faces to compare.

    Attributes:
        similarity: mean cosine of two faces of the prompt that share neither seed nor vector [prompts].
        similarity_draws: its bootstrap draws [resamples, prompts].
        energy: energy distance of the faces of the prompt to those of the other prompts [prompts].
        energy_draws: its bootstrap draws [resamples, prompts].
        energy_null: the same with prompts permuted within blocks [permutations, prompts].
    """

    similarity: np.ndarray
    similarity_draws: np.ndarray
    energy: np.ndarray
    energy_draws: np.ndarray
    energy_null: np.ndarray


def prompt_distances(
    vectors: np.ndarray, design: Design, resamples: int, permutations: int, seed: int = 0
) -> PromptDistances:
    """How alike the faces of each prompt are, and how far from those of the others.

    The energy distance (Székely and Rizzo 2013) of two distributions is 2 E|X - Y| - E|X - X'| - E|Y - Y'|, 0 if and
    only if they are equal. Only pairs that share neither seed nor vector are counted, so that the pairing does not bias
    it; it may come out a little below 0.

    Args:
        vectors: unit vectors [n, d].
        design: of the same rows.
        resamples: of the cluster bootstrap over seeds and vectors.
        permutations: of the prompts within their blocks.
        seed: of both.
    """
    one_hot = np.eye(design.prompts, dtype=np.float32)
    member = one_hot[design.prompt]
    apart = design.apart.astype(np.float32)
    cosine = apart * np.clip(vectors @ vectors.T, -1, 1)
    distance = apart * _distances(vectors, vectors)

    def measured(member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pairs = member.T @ (apart @ member)
        return _within(member.T @ (cosine @ member), pairs), _energy(member.T @ (distance @ member), pairs)

    similarity, energy = measured(member)
    drawn = [measured(member * times[:, None]) for times in design.weights(resamples, seed)]
    pairs = member.T @ (apart @ member)  # the same under permutation: a block keeps its prompts
    null = [
        _energy(permuted.T @ (distance @ permuted), pairs)
        for permuted in (member[order] for order in permutations_within(design.blocks, permutations, seed + 1))
    ]
    return PromptDistances(
        similarity=similarity,
        similarity_draws=np.array([draw for draw, _ in drawn]),
        energy=energy,
        energy_draws=np.array([draw for _, draw in drawn]),
        energy_null=np.array(null),
    )


def distance_to_reference(
    vectors: np.ndarray, design: Design, reference: np.ndarray, names: np.ndarray, resamples: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The energy distance of each prompt's faces to a reference: values [prompts] and draws [resamples, prompts].

    A face made from a vector of the reference is not compared with that vector. The reference is resampled too; where
    its vectors are those of the faces, together with them. NaN where a prompt has no two faces to compare.

    Args:
        vectors: unit vectors of the faces [n, d].
        design: of the same rows.
        reference: unit vectors [m, d], each a cluster of its own.
        names: of the reference's vectors [m], the ``face`` of the design where they are the same.
        resamples: of the cluster bootstrap.
        seed: of the bootstrap.
    """
    member = np.eye(design.prompts, dtype=np.float32)[design.prompt]
    inside, across = design.apart.astype(np.float32), (design.face[:, None] != names).astype(np.float32)
    others = 1 - np.eye(len(names), dtype=np.float32)
    far = [mask * _distances(*pair) for mask, pair in ((inside, (vectors, vectors)), (across, (vectors, reference)))]
    far_others = others * _distances(reference, reference)

    def measured(member: np.ndarray, times: np.ndarray) -> np.ndarray:
        own = ratio(*(np.einsum("np,np->p", member, table @ member) for table in (far[0], inside)))
        to = ratio(*(member.T @ (table @ times) for table in (far[1], across)))
        return 2 * to - own - (times @ far_others @ times) / max(times @ others @ times, 1e-9)

    drawn = zip(design.weights(resamples, seed), weights(names, resamples, seed), strict=True)
    draws = [measured(member * mine[:, None], theirs) for mine, theirs in drawn]
    return measured(member, np.ones(len(names), np.float32)), np.array(draws)


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Euclidean distances of unit vectors [n, d] and [m, d]: [n, m]."""
    return np.sqrt(np.clip(2 - 2 * first @ second.T, 0, 4))


def _within(sums: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    return ratio(np.diag(sums), np.diag(pairs))


def _energy(sums: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Computes each prompt's distance to all others.

    Args:
        sums: of distances between the images of two prompts, [prompts, prompts].
        pairs: their numbers, [prompts, prompts].
    """

    def parts(table: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        own, rows = np.diag(table), table.sum(axis=1)
        return own, rows - own, table.sum() - 2 * rows + own

    own, across, others = (ratio(total, count) for total, count in zip(parts(sums), parts(pairs), strict=True))
    return 2 * across - own - others
