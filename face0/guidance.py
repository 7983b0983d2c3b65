"""Guidance by text and face (paper, "Sampling").

    eps     = w eps_hat + (1 - w) eps(z)
    eps_hat = c eps(z, d, f) + (1 - c) (a eps(z, f) + (1 - a) eps(z, d))

d is the prompt, f the face. It is one weighted sum of at most four predictions, of which only those with a weight are
evaluated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import torch


class Branch(Enum):
    """What a prediction of the U-Net is conditioned on: (text, face)."""

    BOTH = True, True
    FACE = False, True
    TEXT = True, False
    NONE = False, False


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """How strongly text and face steer. Named as in the paper."""

    w: float = 7.5  # against nothing; 1: no guidance
    c: float = 1.0  # of text and face together; 1: photo-real, 0.4 to 0.7 with a = 0: artistic
    a: float = 0.0  # of the face alone against the text alone, in what is left of c

    def weights(self) -> Mapping[Branch, float]:
        """The weight of each prediction, those of 0 left out. They add up to 1."""
        weights = {
            Branch.BOTH: self.w * self.c,
            Branch.FACE: self.w * (1 - self.c) * self.a,
            Branch.TEXT: self.w * (1 - self.c) * (1 - self.a),
            Branch.NONE: 1 - self.w,
        }
        return {branch: weight for branch, weight in weights.items() if weight}


PRESETS = {
    "photo": Guidance(c=1.0),
    "stylised": Guidance(c=0.55, a=0.0),
    "extreme": Guidance(c=1.4, a=1.0),
}


def combine(predictions: torch.Tensor, weights: Mapping[Branch, float]) -> torch.Tensor:
    """The weighted sum of predictions [branches, N, ...], in the order of the weights."""
    factors = torch.tensor(list(weights.values()), dtype=predictions.dtype, device=predictions.device)
    return torch.tensordot(factors, predictions, dims=1)
