"""Division where there may be nothing to divide by."""

import numpy as np


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Divides ``above`` by ``below``, element by element: float64 of the shape of ``above``.

    Args:
        above: numbers [...].
        below: numbers of a shape that broadcasts to it. NaN comes out where they are not over 0.
    """
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
