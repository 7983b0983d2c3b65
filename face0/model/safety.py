"""The safety checker of a base, asked about pictures."""

from typing import Any

import numpy as np
import torch


def flagged(checker: Any, feature_extractor: Any, pixels: np.ndarray) -> list[bool] | None:
    """Which pictures the checker objects to; the pictures stay as they are.

    Args:
        checker: diffusers' StableDiffusionSafetyChecker, or a function in its place; None: there is none.
        feature_extractor: of transformers, which makes its input.
        pixels: uint8 [N, H, W, 3].

    Returns:
        N of them; None without a checker.
    """
    if checker is None:
        return None
    clip_input = feature_extractor(list(pixels), return_tensors="pt").pixel_values
    if isinstance(checker, torch.nn.Module):
        clip_input = clip_input.to(checker.device, checker.dtype)
    # It blackens what it flags, in the images that it is given.
    _, flags = checker(clip_input=clip_input, images=list(pixels.astype(np.float32) / 255))
    return [bool(flag) for flag in flags]
