"""Shares of the variance of vectors that are due to prompts, faces and the rest."""

import numpy as np

from face0.statistics.design import BLOCK, FACE, SEED, Design
from face0.statistics.ratio import ratio
from face0.statistics.resampling import weights


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
    counts = {name: weights(levels, resamples, seed) for name, levels in design.factors.items()}
    whole: tuple[float, np.ndarray] | None = None
    shares = {}
    for name, (pairs, shared) in kinds.items():
        if not pairs.any():
            continue
        # A pair of faces of one cluster weighs as much as the cluster, not as its square.
        drawn = np.ones((resamples, len(vectors)), np.float32)
        for factor, times in counts.items():
            drawn *= np.sqrt(times) if factor in shared else times
        mask = pairs.astype(np.float32)
        masked = half * mask
        value = float(masked.sum() / mask.sum())
        above = np.einsum("bi,bi->b", drawn @ masked, drawn)
        below = np.einsum("bi,bi->b", drawn @ mask, drawn)
        draws = ratio(above, below)
        if name == "nothing":
            whole = value, draws
        elif whole is not None:
            shares[name] = (1 - value / whole[0], 1 - draws / whole[1])
    return shares
