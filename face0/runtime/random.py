"""Random numbers that names decide, one stream for each set of names, so that nothing depends on what was drawn before.

Numbers and orders come from SplitMix64 (Steele, Lea and Flood 2014), streams from Philox 4x64 (Salmon et al. 2011),
whose bits NumPy keeps as they are. NumPy may change its ways from bits to normal numbers, so that step is done here:
what a name decides is the same with every version of every library.
"""

import numpy as np

_GOLDEN = 0x9E3779B97F4A7C15


def number(*names: int) -> int:
    """The number, 0 to 2**64 - 1, that the names (any integers) decide."""
    return int(_state(*names)[0])


def permutation(size: int, *names: int) -> np.ndarray:
    """A random order of range(size) that the names (any integers) decide: int64 [size].

    >>> seed, epoch = 3, 1
    >>> permutation(10, seed, epoch).tolist()  # on any machine, with any version of NumPy
    [0, 1, 7, 3, 8, 5, 6, 9, 4, 2]
    """
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


def uniforms(size: int, *names: int) -> np.ndarray:
    """Uniform numbers that the names (any integers) decide: float64 [size], 0 <= u < 1.

    A larger size begins with the same numbers.
    """
    bits = np.random.Philox(key=number(*names)).random_raw(size)
    return (bits >> np.uint64(11)) * 2.0**-53


def normals(size: int, *names: int) -> np.ndarray:
    """Normal numbers that the names decide: float64 [size], mean 0 and variance 1 (Box and Muller 1958)."""
    pairs = uniforms(2 * (-(-size // 2)), *names).reshape(-1, 2)
    radius = np.sqrt(-2 * np.log1p(-pairs[:, 0]))
    angle = 2 * np.pi * pairs[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)[:size]
