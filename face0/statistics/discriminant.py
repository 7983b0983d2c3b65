"""How well the prompt can be read off a generated face: linear discriminant analysis, cross-validated."""

from dataclasses import dataclass

import numpy as np

from face0.statistics.design import Design
from face0.statistics.ratio import ratio
from face0.statistics.resampling import permutations_within

HELD = 20_000_000  # numbers held at a time: permutations x prompts x faces


@dataclass(frozen=True, eq=False)
class Leakage:
    """What the classifier got right, row by row and under permutation.

    Attributes:
        correct: whether each row's prompt was recognised, bool [n]; a row that could not be tested counts as wrong.
        tested: whether it could be tested, bool [n].
        accuracy: balanced accuracy: the mean over prompts of the share of their faces that were recognised, 0..1.
        null: balanced accuracy with prompts permuted within blocks, float64 [permutations].
    """

    correct: np.ndarray
    tested: np.ndarray
    accuracy: float
    null: np.ndarray


def leakage(vectors: np.ndarray, design: Design, permutations: int = 999, folds: int = 5, seed: int = 0) -> Leakage:
    """Tells the prompt of each face from faces that share neither its seed nor its vector.

    A face goes to the prompt with the nearest mean, in the space where the training faces (their covariance shrunk as
    by Ledoit and Wolf 2004) are white. That is regularised linear discriminant analysis with the total in place of the
    within-class covariance, which has the same directions; the total does not depend on the prompts, so that a
    permutation costs no more than new means.

    Args:
        vectors: of the faces [n, d], none missing.
        design: of the same rows.
        permutations: of the prompts within their blocks.
        folds: of each factor.
        seed: of folds and permutations.
    """
    orders = permutations_within(design.blocks, permutations, seed + 1)
    labels = np.concatenate([design.prompt[None], design.prompt[orders]])
    predicted = np.full(labels.shape, -1, np.int16)
    for train, test in design.folds(folds, seed):
        white_train, white_test = whiten(vectors[train], vectors[test])
        together = max(1, HELD // (design.prompts * len(train)))
        for start in range(0, len(labels), together):
            part = slice(start, start + together)
            predicted[part, test] = nearest_mean(white_train, white_test, labels[part][:, train], design.prompts)
    correct = predicted == labels
    accuracy = balanced(correct, labels, design.prompts)
    return Leakage(correct=correct[0], tested=predicted[0] >= 0, accuracy=float(accuracy[0]), null=accuracy[1:])


def balanced(correct: np.ndarray, labels: np.ndarray, prompts: int) -> np.ndarray:
    """Mean over the prompts that occur of the share of their rows that is correct: float64 [b].

    Args:
        correct: of each row of b labellings, bool [b, n].
        labels: int [b, n].
        prompts: their number.
    """
    shares = np.empty((len(labels), prompts))
    for prompt in range(prompts):
        mine = labels == prompt
        shares[:, prompt] = ratio((mine & correct).sum(axis=1), mine.sum(axis=1))
    occurs = np.isfinite(shares)
    return np.where(occurs, shares, 0).sum(axis=1) / np.maximum(occurs.sum(axis=1), 1)


def whiten(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Moves rows to the space where the shrunk covariance of the training rows is the identity.

    Rows [n, d] and [m, d] become float32 [n, r] and [m, r], r at most d.

    What lies outside the span of the training rows is the same distance from all their means, and is left out.
    """
    mean = train.mean(axis=0)
    centred = (train - mean).astype(np.float64)
    n, d = centred.shape
    if n > d:
        values, directions = np.linalg.eigh(centred.T @ centred / n)
    else:
        values, left = np.linalg.eigh(centred @ centred.T / n)
        keep = values > values.max() * 1e-10
        values = values[keep]
        directions = centred.T @ left[:, keep] / np.sqrt(values * n)
    values = np.maximum(values, 0)
    rho = shrinkage(centred, values)
    scale = 1 / np.sqrt(np.maximum((1 - rho) * values + rho * values.sum() / d, 1e-12))
    axes = (directions * scale).astype(np.float32)
    return centred.astype(np.float32) @ axes, (test - mean).astype(np.float32) @ axes


def shrinkage(centred: np.ndarray, values: np.ndarray) -> float:
    """Ledoit and Wolf's weight (2004), 0..1, of the identity against the covariance of centred rows [n, d].

    The same number as ``sklearn.covariance.ledoit_wolf_shrinkage``, ten to three hundred times as fast: that squares
    the rows' products anew, where the eigenvalues are at hand.

    Args:
        centred: rows less their mean.
        values: the covariance's eigenvalues, but for those that are 0.
    """
    n, d = centred.shape
    mean = values.sum() / d
    squares = (values**2).sum()
    away = squares - d * mean**2
    noise = (((centred**2).sum(axis=1) ** 2).sum() / n - squares) / n
    return float(min(max(noise, 0) / away, 1)) if away > 0 else 1.0


def nearest_mean(train: np.ndarray, test: np.ndarray, labels: np.ndarray, prompts: int) -> np.ndarray:
    """The prompt whose mean is nearest, for each test row under each labelling of the training rows: int [b, m].

    Args:
        train: training rows, float32 [n, r], white as ``whiten`` makes them.
        test: test rows, float32 [m, r].
        labels: prompts of the training rows in b labellings, int [b, n].
        prompts: their number.
    """
    member = (labels[:, None] == np.arange(prompts)[:, None]).astype(np.float32)  # [b, prompts, n]
    counts = member.sum(axis=2, keepdims=True)
    means = (member / np.maximum(counts, 1)).reshape(-1, len(train)) @ train
    scores = test @ means.T - (means**2).sum(axis=1) / 2
    scores = np.where(counts.reshape(-1) > 0, scores, -np.inf)
    return scores.reshape(len(test), len(labels), prompts).argmax(axis=2).T
