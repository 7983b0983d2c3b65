"""SplitMix64 (Steele, Lea and Flood 2014): numbers that names decide, the same with every version of every library."""

import numpy as np

_GOLDEN = 0x9E3779B97F4A7C15


def number(*names: int) -> int:
    """The number, 0 to 2**64 - 1, that the names (any integers) decide."""
    return int(_state(*names)[0])


def permutation(size: int, *names: int) -> np.ndarray:
    """A random order of range(size) that the names (any integers) decide: int64 [size]."""
    steps = np.arange(1, size + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    return np.argsort(_mixed(_state(*names) + steps), kind="stable")


def _state(*names: int) -> np.ndarray:
    state = np.zeros(1, np.uint64)
    for name in names:
        state = _mixed(state + np.uint64((name + _GOLDEN) % 2**64))
    return state


def _mixed(values: np.ndarray) -> np.ndarray:
    """The finaliser: a bijection of uint64 in which every bit of the input moves every bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
