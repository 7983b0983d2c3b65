"""Random numbers that names decide, one stream for each set of names, so that nothing depends on what was drawn before.

The bits are those of Philox 4x64 (Salmon et al. 2011), whose stream NumPy keeps as it is; its ways from bits to normal
numbers it may change, so that step is done here.
"""

import numpy as np

from face0.runtime.splitmix import number


def uniforms(size: int, *names: int) -> np.ndarray:
    """Uniform numbers that the names (any integers) decide: float64 [size], 0 <= u < 1. More of them begin alike."""
    bits = np.random.Philox(key=number(*names)).random_raw(size)
    return (bits >> np.uint64(11)) * 2.0**-53


def normals(size: int, *names: int) -> np.ndarray:
    """Normal numbers that the names decide: float64 [size], mean 0 and variance 1 (Box and Muller 1958)."""
    pairs = uniforms(2 * (-(-size // 2)), *names).reshape(-1, 2)
    radius = np.sqrt(-2 * np.log1p(-pairs[:, 0]))
    angle = 2 * np.pi * pairs[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)[:size]
