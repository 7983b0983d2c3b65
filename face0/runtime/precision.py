"""In which floating-point type nets run."""

import torch


def fast_dtype(device: str) -> torch.dtype:
    """The floating-point type in which nets run fastest here: bfloat16 where CPU or GPU multiply in it."""
    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    has_bf16 = device == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False)
    return torch.bfloat16 if has_bf16 else torch.float32
