"""What strangers score: the cosines of faces of different photographs, most of which show different people."""

from dataclasses import dataclass

import numpy as np

LEAST = 5  # photographs from which on something can be said


@dataclass(frozen=True, kw_only=True)
class StrangerScores:
    """Cosines of all pairs of some faces.

    Attributes:
        faces: how many there are.
        median: of the cosines.
        low: a quarter of them are below.
        high: about where a tenth of strangers is above, judged from the lower quarter alone, in which pairs of one
            person have hardly a part: ``q25 + 2 (q25 - q05)``. Of normally distributed cosines this is their 90 %
            quantile, and more (99.5 %) where half of the pairs are of one person each.
    """

    faces: int
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, vectors: np.ndarray) -> "StrangerScores | None":
        """Of unit vectors [n, d], each of another photograph; None: they are fewer than LEAST."""
        if len(vectors) < LEAST:
            return None
        cosines = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
        lowest, low, median = np.quantile(cosines, [0.05, 0.25, 0.5])
        return cls(faces=len(vectors), median=float(median), low=float(low), high=float(low + 2 * (low - lowest)))
