from .concurrency import ordered_map
from .devices import claim_device
from .out_of_memory import FittingBatches
from .precision import fast_dtype
from .progress import ProgressBar
from .random import normals, number, permutation, uniforms
from .versions import library_versions

__all__ = [
    "FittingBatches",
    "ProgressBar",
    "claim_device",
    "fast_dtype",
    "library_versions",
    "normals",
    "number",
    "ordered_map",
    "permutation",
    "uniforms",
]
