from .concurrency import ordered_map
from .devices import claim_device
from .one_thread import one_thread
from .out_of_memory import FittingBatches
from .precision import fast_dtype
from .progress import counted
from .random import normals, number, permutation, uniforms
from .versions import library_versions

__all__ = [
    "FittingBatches",
    "claim_device",
    "counted",
    "fast_dtype",
    "library_versions",
    "normals",
    "number",
    "one_thread",
    "ordered_map",
    "permutation",
    "uniforms",
]
