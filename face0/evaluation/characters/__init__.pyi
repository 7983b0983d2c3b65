from .verdicts import Characters, RealPairs, characters

__all__ = [
    "Characters",
    "RealPairs",
    "characters",
]
