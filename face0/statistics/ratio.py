"""Division where there may be nothing to divide by."""

import numpy as np


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """One by the other, NaN where the other is not over 0: float64 of the shape of ``above``."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
