"""Guidance by text and face (paper, "Sampling").

    eps     = w eps_hat + (1 - w) eps(z)
    eps_hat = c eps(z, d, f) + (1 - c) (a eps(z, f) + (1 - a) eps(z, d))

d is the prompt, f the face. It is one weighted sum of at most four predictions, of which only those with a weight are
evaluated. Beyond the paper, guidance may be limited to an interval of the steps (Kynkäänniemi et al. 2024), and its
result rescaled (Lin et al. 2024, section 3.4).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from math import isfinite
from numbers import Real
from typing import TYPE_CHECKING

from face0.errors import UsageError

if TYPE_CHECKING:  # whoever only names a preset does not wait for torch
    import torch


class Branch(Enum):
    """What a prediction of the U-Net is conditioned on: (text, face)."""

    BOTH = True, True
    FACE = False, True
    TEXT = True, False
    NONE = False, False


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """How strongly text and face steer. Named as in the paper.

    The photo preset asks the U-Net twice a step, with text and face and without; a mix of both takes more:

    >>> {branch.name: weight for branch, weight in Guidance(w=7.5, c=1.0).weights().items()}
    {'BOTH': 7.5, 'NONE': -6.5}
    >>> {branch.name: weight for branch, weight in Guidance(w=2.0, c=0.5, a=0.0).weights().items()}
    {'BOTH': 1.0, 'TEXT': 1.0, 'NONE': -1.0}

    Attributes:
        w: weight against nothing; 1: no guidance.
        c: weight of text and face together; 1: photo-real, 0.4 to 0.7 with a = 0: artistic.
        a: weight of the face alone against the text alone, in what is left of c.
        start: share of the steps, 0..1, at which guidance begins; without it eps is eps(z, d, f).
        stop: share of the steps, 0..1, at which it ends.
        rescale: how far eps is brought back to the spread of eps_hat, 0..1.
    """

    w: float = 7.5
    c: float = 1.0
    a: float = 0.0
    start: float = 0.0
    stop: float = 1.0
    rescale: float = 0.0

    def weights(self) -> Mapping[Branch, float]:
        """The weight of each prediction, those of 0 left out. They add up to 1."""
        weights = {
            Branch.BOTH: self.w * self.c,
            Branch.FACE: self.w * (1 - self.c) * self.a,
            Branch.TEXT: self.w * (1 - self.c) * (1 - self.a),
            Branch.NONE: 1 - self.w,
        }
        return {branch: weight for branch, weight in weights.items() if weight}

    def at(self, step: int, steps: int) -> Mapping[Branch, float]:
        """The weights at step 0, 1, ..., steps - 1."""
        return self.weights() if self.start <= step / steps < self.stop else {Branch.BOTH: 1.0}

    def branches(self) -> list[Branch]:
        """The branches that are evaluated at any step."""
        whole = self.start <= 0 and self.stop >= 1
        return list(self.weights() if whole else {**self.weights(), Branch.BOTH: 1.0})


GUIDANCE_PRESETS = {
    "photo": Guidance(c=1.0),
    "stylised": Guidance(c=0.55, a=0.0),
    "extreme": Guidance(c=1.4, a=1.0),
}


def weight_of_scale(guidance_scale: float) -> float:
    """The ``w`` of diffusers' ``guidance_scale``: the same number, and no guidance up to 1."""
    return max(1.0, guidance_scale)


def merged(guidance: Guidance | None, guidance_scale: float | None, guidance_rescale: float | None) -> Guidance:
    """Guidance as told in this library's terms, in diffusers', or in both.

    Args:
        guidance: None: the default.
        guidance_scale: its ``w``; see ``weight_of_scale``.
        guidance_rescale: its ``rescale``, 0..1.

    Raises:
        UsageError: the two say different things, or a number is not one that can be.
    """
    changes: dict[str, float] = {}
    if guidance_scale is not None:
        if not isinstance(guidance_scale, Real) or not isfinite(guidance_scale):
            raise UsageError(f"guidance_scale {guidance_scale!r}: give a number; up to 1: no guidance")
        changes["w"] = weight_of_scale(float(guidance_scale))
    if guidance_rescale is not None:
        if not isinstance(guidance_rescale, Real) or not 0 <= float(guidance_rescale) <= 1:
            raise UsageError(f"guidance_rescale {guidance_rescale!r}: give a number from 0 to 1")
        changes["rescale"] = float(guidance_rescale)
    for name, value in changes.items():
        if guidance is not None and getattr(guidance, name) != value:
            raise UsageError(
                f"guidance has {name} = {getattr(guidance, name)}, and guidance_{'scale' if name == 'w' else name} "
                f"says {value}: give guidance=Guidance({name}={value}, ...) alone"
            )
    return replace(guidance or Guidance(), **changes)


def combine(predictions: "torch.Tensor", weights: Mapping[Branch, float], rescale: float = 0.0) -> "torch.Tensor":
    """The weighted sum of predictions [branches, N, ...], in the order of the weights.

    Rescaled, each of the N has the standard deviation of its eps_hat, or a part of the way to it.
    """
    guided = _weighted_sum(predictions, list(weights.values()))
    if not rescale or Branch.NONE not in weights:
        return guided
    w = 1 - weights[Branch.NONE]
    hat = _weighted_sum(predictions, [0 if branch is Branch.NONE else weight / w for branch, weight in weights.items()])
    inner = tuple(range(1, guided.ndim))
    ratio = hat.std(inner, keepdim=True) / guided.std(inner, keepdim=True)
    return guided * (1 + rescale * (ratio - 1))


def _weighted_sum(predictions: "torch.Tensor", factors: Sequence[float]) -> "torch.Tensor":
    weights = predictions.new_tensor([factors])
    return (weights @ predictions.flatten(1)).view(predictions.shape[1:])
