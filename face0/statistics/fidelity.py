"""Does a face that was made follow the vector that was asked for? Probabilities, 0.5 where it does not."""

import numpy as np

from face0.statistics.design import Design


def follows_input(vectors: np.ndarray, face: np.ndarray, inputs: np.ndarray, names: np.ndarray) -> np.ndarray:
    """For each face the share of the other inputs that it resembles less than its own: float64 [n], a tie counts half.

    The mean is the area under the curve that tells own from others. NaN for a face whose input is not among them.

    Args:
        vectors: unit vectors of the faces [n, d].
        face: the input of each face, by name [n].
        inputs: unit vectors [m, d].
        names: of the inputs [m], each once.
    """
    cosine = vectors @ inputs.T
    own = face[:, None] == names
    given = own.any(axis=1)
    mine = np.where(given, cosine[np.arange(len(face)), own.argmax(axis=1)], np.nan)[:, None]
    wins = ((cosine < mine) + 0.5 * (cosine == mine)) * ~own
    return np.where(given, wins.sum(axis=1) / max(len(names) - 1, 1), np.nan) if len(names) > 1 else mine[:, 0] * np.nan


def follows_vector(vectors: np.ndarray, design: Design) -> tuple[np.ndarray, bool]:
    """For each face the probability that a face of the same vector resembles it more than one of another vector.

    Both are of other prompts, so that words cannot help. Faces of the same seed are not compared; where each vector has
    a seed of its own they must be, and composition may help.

    Args:
        vectors: unit vectors of the faces [n, d], by any encoder: the vectors asked for are not needed.
        design: of the same rows.

    Returns:
        float64 [n], NaN for a face that has nothing to compare with; and whether seeds were kept apart.
    """
    cosine = vectors @ vectors.T
    other_prompt = design.prompt[:, None] != design.prompt
    same_face = (design.face[:, None] == design.face) & (design.face != "")
    other_seed = design.seed[:, None] != design.seed
    same = other_prompt & same_face & other_seed
    apart = bool(same.any())
    if not apart:
        same = other_prompt & same_face
    different = other_prompt & ~same_face & other_seed
    probability = np.full(len(vectors), np.nan)
    for row in np.flatnonzero(same.any(axis=1) & different.any(axis=1)):
        others = np.sort(cosine[row, different[row]])
        mine = cosine[row, same[row]]
        below = np.searchsorted(others, mine, "left") + np.searchsorted(others, mine, "right")
        probability[row] = below.mean() / (2 * len(others))
    return probability, apart
