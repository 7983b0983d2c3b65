"""What an error of torch, CUDA or onnxruntime means: short memory, or a GPU that has failed."""

# What torch, CUDA's libraries and onnxruntime say, in errors of many types.
_MESSAGES = (
    "out of memory",
    "alloc_failed",
    "can't allocate memory",
    "cannot allocate memory",
    "failed to allocate memory",
)
# After these nothing more can be computed in this process.
_DEVICE_MESSAGES = ("cuda error", "device-side assert", "cublas_status", "cudnn_status")


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory was short, the machine's or a GPU's."""
    return isinstance(error, MemoryError) or any(said in str(error).lower() for said in _MESSAGES)


def is_device_failure(error: Exception) -> bool:
    """Whether the GPU has failed: no further call of this process will succeed on it."""
    return not is_out_of_memory(error) and any(said in str(error).lower() for said in _DEVICE_MESSAGES)
