"""What can be read off a face: its prompt (leakage), and the vector that was asked for (fidelity)."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from face0.evaluation.audit.arms import Arm
from face0.evaluation.audit.by_prompt import ByPrompt, contrast, exchange_p, prompt_rows, row_means
from face0.evaluation.audit.effort import Resampling
from face0.evaluation.measures import Measure, replaced
from face0.statistics.design import Design
from face0.statistics.discriminant import Leakage, leakage
from face0.statistics.fidelity import follows_input, follows_vector
from face0.statistics.resampling import p_value, smallest_effect


def leakage_measures(arm: Arm, encoder: str, prompts: list[str], effort: Resampling) -> Iterator[Measure]:
    """How well the prompt is read off a face, of all prompts and of each."""
    vectors, design = arm.seen(encoder)
    if not can_be_told(design):
        return
    result = leakage(vectors, design, effort.permutations, seed=effort.seed)
    for row in prompt_rows(told(result, design, encoder, effort), arm, prompts):
        if row.prompt is None:
            smallest = smallest_effect(result.null, row.error)
            row = replaced(row, p=p_value(result.accuracy, result.null), smallest_effect=smallest)
        yield row


def leakage_contrast(arm: Arm, against: Arm, encoder: str, effort: Resampling) -> Iterator[Measure]:
    """The difference of two arms' leakage, from one face of each prompt and seed: more faces would teach more."""
    sides = []
    for side in (arm, against):
        vectors, design = side.seen(encoder)
        rows = one_per_seed(design)
        vectors, design = vectors[rows], design.take(rows)
        if not can_be_told(design):
            return
        sides.append(told(leakage(vectors, design, effort.permutations, seed=effort.seed), design, encoder, effort))
    by_prompt, by_prompt_against = sides
    yield contrast(by_prompt, by_prompt_against, arm, against, exchange_p(by_prompt, by_prompt_against, effort))


def can_be_told(design: Design) -> bool:
    """Whether there are faces of two prompts, and clusters to keep apart."""
    return len(np.unique(design.prompt)) > 1 and design.clusters > 2


def told(result: Leakage, design: Design, encoder: str, effort: Resampling) -> ByPrompt:
    """The share of each prompt's faces that were told right; chance is one over the prompts that have faces."""
    by_prompt = row_means("leakage", encoder, result.correct.astype(float), design, effort)
    chance = 1 / len(np.unique(design.prompt))
    return replace(
        by_prompt,
        null_value=chance,
        reference="chance",
        listed_only=True,
        # Folds share training faces, which the bootstrap of what was told does not see and the permutations do; a
        # share's spread goes with its own size
        floor=float(result.null.std() * np.sqrt(result.accuracy * (1 - result.accuracy) / (chance * (1 - chance)))),
    )


def one_per_seed(design: Design) -> np.ndarray:
    """Positions [m] of one row for each prompt and seed, such that a seed goes with one vector in all prompts."""
    seeds = np.unique(design.seed, return_inverse=True)[1]
    faces, face = np.unique(design.face, return_inverse=True)
    # In the order of vectors, beginning with another one for each seed
    turn = (face - seeds) % len(faces)
    order = np.lexsort((turn, seeds, design.prompt))
    keys = np.stack([design.prompt, seeds])[:, order]
    first = np.ones(len(order), bool)
    first[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    return np.sort(order[first])


def follows_input_means(
    arm: Arm, encoder: str, names: np.ndarray, inputs: np.ndarray, effort: Resampling
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


def follows_vector_means(arm: Arm, encoder: str, effort: Resampling) -> Iterator[ByPrompt]:
    """Whether faces of one vector resemble one another across prompts; nothing where vectors do not vary."""
    vectors, design = arm.seen(encoder)
    if design.faces_vary:
        won, apart = follows_vector(vectors, design)
        if np.isfinite(won).any():
            by_prompt = row_means("follows_vector", encoder, won, design, effort, 0.5)
            yield replace(by_prompt, reference="" if apart else "seeds are shared with the vector")
