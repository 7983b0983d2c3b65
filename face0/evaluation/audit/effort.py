"""How often the audit draws again."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """How much is drawn.

    Attributes:
        resamples: of the bootstrap.
        permutations: of each test; p-values are no smaller than 1 / (permutations + 1).
        seed: of all that is drawn.
    """

    resamples: int = 999
    permutations: int = 999
    seed: int = 0
