from .concurrency import ordered_map, threads_per_process
from .devices import claim_device, pick_device
from .distributed import Process, join_processes
from .one_thread import one_thread
from .out_of_memory import FittingBatches
from .precision import fast_dtype, precision_name
from .progress import AroundBars, ProgressBar, show_progress, tracked
from .random import normals, number, permutation, uniforms
from .versions import library_versions

__all__ = [
    "AroundBars",
    "FittingBatches",
    "Process",
    "ProgressBar",
    "claim_device",
    "fast_dtype",
    "join_processes",
    "library_versions",
    "normals",
    "number",
    "one_thread",
    "ordered_map",
    "permutation",
    "pick_device",
    "precision_name",
    "show_progress",
    "threads_per_process",
    "tracked",
    "uniforms",
]
