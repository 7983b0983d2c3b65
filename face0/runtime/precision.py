"""The floating-point type in which nets run."""

import torch


def fast_dtype(device: str) -> torch.dtype:
    """The floating-point type in which nets run fastest here: bfloat16 where CPU or GPU multiply in it."""
    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # torch says it from 2.12 on
    has_bf16 = device == "cpu" and capabilities.get("avx512_bf16", False)
    return torch.bfloat16 if has_bf16 else torch.float32


def precision_name(device: str) -> str:
    """``bf16`` where nets run fastest in bfloat16 here, else ``fp32``."""
    return "bf16" if fast_dtype(device) == torch.bfloat16 else "fp32"
