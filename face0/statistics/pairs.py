"""Pairs of images that are fair to compare: of one character and of two, which share neither scene nor seed."""

from dataclasses import dataclass

import numpy as np

PAIRS = 200_000  # between characters that are kept: the bootstrap goes through all of them each time
ALL = 4_000_000  # up to so many pairs of images, all are listed and none is drawn


@dataclass(frozen=True, eq=False, kw_only=True)
class Pairs:
    """Pairs of rows, and how alike they are.

    Attributes:
        within: pairs of one character, rows, int [g, 2].
        between: pairs of two characters, rows, int [m, 2].
        within_similarity: cosines of the pairs within [g].
        between_similarity: cosines of the pairs between [m].
        scenes_apart: whether pairs of one scene are left out.
        seeds_apart: whether pairs of one seed are left out.
        drawn: whether the pairs between characters are a sample.
    """

    within: np.ndarray
    between: np.ndarray
    within_similarity: np.ndarray
    between_similarity: np.ndarray
    scenes_apart: bool
    seeds_apart: bool
    drawn: bool


def comparable_pairs(
    vectors: np.ndarray, who: np.ndarray, where: np.ndarray, seeds: np.ndarray, rng: np.random.Generator
) -> Pairs:
    """The pairs, under one rule for those within characters and those between them.

    Scenes are kept apart if there are several, and so are seeds, but where that leaves no pair within a character.

    Args:
        vectors: unit vectors [n, d]; a row of NaN has none, and is in no pair.
        who: the character of each row, int [n].
        where: its scene, int [n].
        seeds: int [n].
        rng: draws pairs where there are too many.
    """
    usable = np.flatnonzero(np.isfinite(vectors[:, 0]))
    same = _within(who[usable])
    same = usable[same]
    apart = [where[same[:, 0]] != where[same[:, 1]], seeds[same[:, 0]] != seeds[same[:, 1]]]
    rules = (True, True), (True, False), (False, True)
    rule = next((rule for rule in rules if _kept(apart, rule).any()), (False, False))
    within = same[_kept(apart, rule)]
    between, drawn = _two_of(usable, rng)
    apart = [where[between[:, 0]] != where[between[:, 1]], seeds[between[:, 0]] != seeds[between[:, 1]]]
    between = between[_kept(apart, rule) & (who[between[:, 0]] != who[between[:, 1]])]
    if len(between) > PAIRS:
        between, drawn = between[rng.permutation(len(between))[:PAIRS]], True
    return Pairs(
        within=within,
        between=between,
        within_similarity=_cosines(vectors, within),
        between_similarity=_cosines(vectors, between),
        scenes_apart=rule[0],
        seeds_apart=rule[1],
        drawn=drawn,
    )


def _within(who: np.ndarray) -> np.ndarray:
    """All pairs of positions of one character: int [g, 2]."""
    order = np.argsort(who, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(who[order])) + 1)
    places = [np.stack(np.triu_indices(len(group), 1), axis=1) for group in groups]
    return np.concatenate([group[pairs] for group, pairs in zip(groups, places, strict=True)]).reshape(-1, 2)


def _two_of(rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """All pairs of rows, or a random sample of them: int [m, 2]."""
    if len(rows) * (len(rows) - 1) // 2 <= ALL:
        return rows[np.stack(np.triu_indices(len(rows), 1), axis=1)], False
    return rows[rng.integers(len(rows), size=(4 * PAIRS, 2))], True


def _kept(apart: list[np.ndarray], rule: tuple[bool, bool]) -> np.ndarray:
    kept = np.ones(len(apart[0]), bool)
    for differs, wanted in zip(apart, rule, strict=True):
        if wanted:
            kept &= differs
    return kept


def _cosines(vectors: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", vectors[pairs[:, 0]], vectors[pairs[:, 1]])
