"""How many different faces there are: of samples of one size, since every such number grows with the sample."""

import numpy as np

SUBSETS = 20  # over which a number is averaged


def effective_numbers(vectors: np.ndarray) -> tuple[float, float]:
    """Vendi score and effective rank of unit vectors [n, d], each 1 to n.

    Vendi score (Friedman and Dieng 2023): exp of the entropy of the eigenvalues of K / n, K the matrix of cosines: how
    many wholly different faces would be as diverse. Effective rank (Roy and Vetterli 2007): exp of the entropy of the
    singular values, as shares of their sum, of the vectors less their mean: along how many directions faces differ.

    >>> three_people = np.eye(3)
    >>> vendi, rank = effective_numbers(np.repeat(three_people, 2, axis=0))  # two images of each
    >>> round(vendi, 3), round(rank, 3)  # three points differ along two directions
    (3.0, 2.0)
    """
    return _exp_entropy(_singular(vectors) ** 2), _exp_entropy(_singular(vectors - vectors.mean(axis=0)))


def diversity(vectors: np.ndarray, prompt: np.ndarray, prompts: int, size: int, seed: int = 0) -> np.ndarray:
    """Mean Vendi score and mean effective rank of ``size`` faces of each prompt: float64 [2, prompts].

    Args:
        vectors: unit vectors [n, d].
        prompt: the prompt of each vector, int [n], 0 to ``prompts`` - 1.
        prompts: their number.
        size: of a sample. A prompt that has fewer faces is NaN.
        seed: of the samples.
    """
    numbers = np.full((2, prompts), np.nan)
    for number in range(prompts):
        mine = vectors[prompt == number]
        if len(mine) >= size > 1:
            rng = np.random.default_rng([seed, number])
            subsets = [mine[rng.permutation(len(mine))[:size]] for _ in range(SUBSETS)]
            numbers[:, number] = np.mean([effective_numbers(subset) for subset in subsets], axis=0)
    return numbers


def _singular(vectors: np.ndarray) -> np.ndarray:
    n, d = vectors.shape
    gram = vectors @ vectors.T if n < d else vectors.T @ vectors
    return np.sqrt(np.maximum(np.linalg.eigvalsh(gram.astype(np.float64)), 0))


def _exp_entropy(amounts: np.ndarray) -> float:
    total = amounts.sum()
    if not total > 0:
        return 1.0
    shares = amounts[amounts > total * 1e-9] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))
