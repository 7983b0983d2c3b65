"""Where the heads of generated images look."""

import numpy as np
import pyarrow as pa

from face0.detection.head_pose import head_directions


def result_directions(column: pa.ChunkedArray) -> np.ndarray:
    """``head_directions`` of the column ``landmarks`` of results, NaN where there is none: float64 [n, 3]."""
    directions = np.full((len(column), 3), np.nan)
    present = np.flatnonzero(column.is_valid().to_numpy())
    if len(present):
        directions[present] = head_directions(np.array(column.drop_null().to_pylist(), float).reshape(-1, 5, 2))
    return directions
