"""Which images of a sweep share what: blocks to permute within, clusters to resample, folds to keep apart."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from face0.statistics import resampling
from face0.statistics.resampling import connected

ENOUGH = 5  # groups that share neither seed nor vector, so that seeds and vectors need not be treated as two factors
SEED, FACE, BLOCK = "seed", "face", "block"


@dataclass(frozen=True, eq=False)
class Design:
    """n images of one arm: what was asked of each.

    Where seeds and vectors come in groups that share nothing (a seed of its own for each vector, say), the groups are
    the one factor that is resampled; else seeds and vectors are two crossed factors. A factor with a single level (the
    fixed face, no face) can neither be resampled nor tell one prompt from another, so it is none.

    Attributes:
        prompt: the prompt of each image, int [n], 0 to ``prompts`` - 1.
        seed: its seed, int [n].
        face: the name of its face vector, str [n]; "" without a face.
        prompts: number of prompts.
        group: the group of its seed that is resampled as one, int [n], by another arm with the same seeds: see
            ``share_groups``; None: the arm's own.
    """

    prompt: np.ndarray
    seed: np.ndarray
    face: np.ndarray
    prompts: int
    group: np.ndarray | None = None

    def take(self, index: np.ndarray) -> "Design":
        """The design of some rows; prompts keep their numbers.

        Args:
            index: positions of the rows, int [m], or a mask, bool [n].
        """
        group = None if self.group is None else self.group[index]
        return Design(self.prompt[index], self.seed[index], self.face[index], self.prompts, group)

    @cached_property
    def faces_vary(self) -> bool:
        """Whether there is more than one face vector."""
        return len(np.unique(self.face)) > 1

    @cached_property
    def factors(self) -> dict[str, np.ndarray]:
        """What is resampled: the level of each row [n], by the factor's name."""
        if self.group is not None:
            return {BLOCK: self.group}
        if self.faces_vary and len(np.unique(self.seed)) > 1:
            group = connected(self.seed, self.face)
            return {BLOCK: group} if group.max() + 1 >= ENOUGH else {SEED: self.seed, FACE: self.face}
        return {FACE: self.face} if self.faces_vary else {SEED: self.seed}

    @cached_property
    def clusters(self) -> int:
        """Number of levels of the factor that has the fewest, on which an interval rests; 0 without rows."""
        return min(len(np.unique(levels)) for levels in self.factors.values()) if len(self.seed) else 0

    @cached_property
    def cluster(self) -> np.ndarray:
        """The level of each row [n], of the factor that has the fewest levels."""
        return min(self.factors.values(), key=lambda levels: len(np.unique(levels)))

    @cached_property
    def blocks(self) -> np.ndarray:
        """Blocks of rows that differ in their prompt only: the block of each row, int [n].

        Where every image has a vector of its own, the images of a seed: the vectors were drawn without regard to the
        prompt, so prompts may be exchanged among them too. Where every image has a seed of its own, all.
        """
        pairs = np.unique(np.stack([self.seed.astype(str), self.face.astype(str)]), axis=1, return_inverse=True)[1]
        if len(np.unique(pairs)) < len(pairs):
            return pairs
        seeds = np.unique(self.seed, return_inverse=True)[1]
        return seeds if len(np.unique(seeds)) < len(seeds) else np.zeros_like(seeds)

    @cached_property
    def apart(self) -> np.ndarray:
        """Pairs of rows that share no level of any factor: bool [n, n]."""
        different = np.ones((len(self.seed), len(self.seed)), bool)
        for levels in self.factors.values():
            different &= levels[:, None] != levels[None]
        return different

    def weights(self, resamples: int, seed: int) -> np.ndarray:
        """The weight of each row in each bootstrap resample: float32 [resamples, n]."""
        products = np.ones((resamples, len(self.seed)), np.float32)
        for levels in self.factors.values():
            products *= resampling.weights(levels, resamples, seed)
        return products

    def folds(self, count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Train and test positions such that no level of a factor is on both sides; each row is tested once at most.

        With two factors a test part is a group of seeds by a group of vectors, and what shares either is left out of
        the training. A part that would leave nothing to train on is left out, and its rows are not tested.

        Args:
            count: parts of each factor, at most; fewer where it has fewer levels.
            seed: deals the levels to the parts.

        Returns:
            For each part the positions to train on, int [m], and to test on, int [k].
        """
        rng = np.random.default_rng(seed)
        parts = []
        for levels in self.factors.values():
            names, codes = np.unique(levels, return_inverse=True)
            dealt = rng.permutation(len(names)) % min(count, len(names))
            parts.append(dealt[codes])
        label = np.stack(parts)
        folds = []
        for test in np.unique(label, axis=1).T:
            same = label == test[:, None]
            train, tested = np.flatnonzero(~same.any(axis=0)), np.flatnonzero(same.all(axis=0))
            if len(train):
                folds.append((train, tested))
        return folds


def share_groups(designs: Sequence[Design]) -> list[Design]:
    """The designs of arms that are paired by their seeds, with one grouping of the seeds for all.

    It is the grouping of the arms whose vectors vary; where that is coarser than single seeds, the other arms must be
    resampled in the same groups, or differences between arms would not be paired. As they are where there are not
    ``ENOUGH`` groups, or an arm has other seeds.
    """
    varying = [design for design in designs if design.faces_vary]
    if not varying:
        return list(designs)
    seeds = np.concatenate([design.seed for design in varying])
    groups = connected(seeds, np.concatenate([design.face for design in varying]))
    names, first = np.unique(seeds, return_index=True)
    if groups.max() + 1 < ENOUGH or not all(np.isin(design.seed, names).all() for design in designs):
        return list(designs)
    return [replace(design, group=groups[first][np.searchsorted(names, design.seed)]) for design in designs]
