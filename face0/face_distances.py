"""Distances between the faces of a sweep: how alike, how far from each other and from a reference, due to what."""

from dataclasses import dataclass

import numpy as np

from face0.paired_design import BLOCK, FACE, SEED, Design
from face0.resampling import multiplicities, permutations_within


@dataclass(frozen=True, eq=False)
class PromptDistances:
    """Per prompt, as measured, resampled and permuted. NaN where there are no two faces to compare."""

    similarity: np.ndarray  # mean cosine of two faces of the prompt that share neither seed nor vector [prompts]
    similarity_draws: np.ndarray  # [resamples, prompts]
    energy: np.ndarray  # energy distance of its faces to those of the other prompts [prompts]
    energy_draws: np.ndarray  # [resamples, prompts]
    energy_null: np.ndarray  # [permutations, prompts]


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
    cosine = np.clip(vectors @ vectors.T, -1, 1)
    distance = apart * np.sqrt(2 - 2 * cosine)
    cosine *= apart

    def measured(member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pairs = member.T @ (apart @ member)
        return _within(member.T @ (cosine @ member), pairs), _energy(member.T @ (distance @ member), pairs)

    similarity, energy = measured(member)
    drawn = [measured(member * times[:, None]) for times in design.weights(resamples, seed)]
    pairs = member.T @ (apart @ member)  # the same under permutation: a block keeps its prompts
    null = [
        _energy(each.T @ (distance @ each), pairs)
        for each in (member[order] for order in permutations_within(design.blocks, permutations, seed + 1))
    ]
    return PromptDistances(
        similarity=similarity,
        similarity_draws=np.array([each[0] for each in drawn]),
        energy=energy,
        energy_draws=np.array([each[1] for each in drawn]),
        energy_null=np.array(null),
    )


def energy_distance(first: np.ndarray, second: np.ndarray, permutations: int, seed: int = 0) -> tuple[float, float]:
    """The energy distance of two independent samples [n, d] and [m, d], and its permutation p-value."""
    together = np.concatenate([first, second])
    squares = (together**2).sum(axis=1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares - 2 * together @ together.T, 0))
    n, m = len(first), len(second)
    if n < 2 or m < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    side = np.zeros((permutations + 1, n + m), np.float32)
    side[0, :n] = 1
    for row in side[1:]:
        row[rng.permutation(n + m)[:n]] = 1
    total, rows = distance.sum(), distance.sum(axis=1)
    inside = np.einsum("bi,bi->b", side @ distance, side)
    cross = side @ rows - inside
    energy = 2 * cross / (n * m) - inside / (n * (n - 1)) - (total - inside - 2 * cross) / (m * (m - 1))
    return float(energy[0]), float(np.mean(energy >= energy[0] - 1e-6))


def variance_shares(
    vectors: np.ndarray, design: Design, resamples: int, seed: int = 0
) -> dict[str, tuple[float, np.ndarray]]:
    """Shares of the variance of the faces (trace of the covariance) due to what was asked: value and draws [resamples].

    Words, face and seed are taken as random effects that add up. Half the mean squared distance of two faces that share
    nothing is the whole variance; of two that share the prompt only, the whole less the part of the words; and so on.
    In a complete design this is the analysis of variance's estimate, and it stays unbiased where faces are missing at
    random.
    ``words`` is always there, ``face`` and ``seed`` where images share one and not the other, ``face_and_seed`` where
    they share both. A share may come out a little below 0. Interactions are no part of any share. The prompts are those
    of the list and are not resampled.

    Args:
        vectors: unit vectors [n, d].
        design: of the same rows.
        resamples: of the cluster bootstrap over seeds and vectors.
        seed: of the bootstrap.
    """
    half = 1 - np.clip(vectors @ vectors.T, -1, 1)
    same_prompt = design.prompt[:, None] == design.prompt
    same_seed = design.seed[:, None] == design.seed
    same_face = design.face[:, None] == design.face
    if not design.faces_vary:
        same_face = np.zeros_like(same_seed)
    apart = design.apart
    kinds = {
        "nothing": (apart & ~same_prompt, ()),
        "words": (apart & same_prompt, ()),
        "face": (~same_prompt & same_face & ~same_seed, (FACE, BLOCK)),
        "seed": (~same_prompt & same_seed & ~same_face, (SEED, BLOCK)),
        "face_and_seed": (~same_prompt & same_seed & same_face, (FACE, SEED, BLOCK)),
    }
    counts = {name: multiplicities(levels, resamples, seed) for name, levels in design.factors.items()}
    whole: tuple[float, np.ndarray] | None = None
    shares = {}
    for name, (pairs, shared) in kinds.items():
        if not pairs.any():
            continue
        # Two faces of one cluster are there as often as the cluster, not as often as its square.
        weights = np.ones((resamples, len(vectors)), np.float32)
        for factor, times in counts.items():
            weights *= np.sqrt(times) if factor in shared else times
        mask = pairs.astype(np.float32)
        masked = half * mask
        value = float(masked.sum() / mask.sum())
        above = np.einsum("bi,bi->b", weights @ masked, weights)
        below = np.einsum("bi,bi->b", weights @ mask, weights)
        draws = np.divide(above, below, out=np.full(resamples, np.nan), where=below > 0)
        if name == "nothing":
            whole = value, draws
        elif whole is not None:
            shares[name] = (1 - value / whole[0], 1 - draws / whole[1])
    return shares


def _within(sums: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    return _ratio(np.diag(sums), np.diag(pairs))


def _energy(sums: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Of each prompt to all others, from sums of distances and numbers of pairs of prompts, both [prompts, prompts]."""

    def parts(table: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        own, rows = np.diag(table), table.sum(axis=1)
        return own, rows - own, table.sum() - 2 * rows + own

    own, across, others = (_ratio(a, b) for a, b in zip(parts(sums), parts(pairs), strict=True))
    return 2 * across - own - others


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(len(above), np.nan, np.float64), where=below > 0.5)
