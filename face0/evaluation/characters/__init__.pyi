from .real_pairs import pairs_of_people
from .verdicts import Characters, RealPairs, characters

__all__ = [
    "Characters",
    "RealPairs",
    "characters",
    "pairs_of_people",
]
