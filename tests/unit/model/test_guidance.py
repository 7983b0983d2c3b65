"""Guidance by text and face: the paper's formula, and rescaling."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from face0.model.guidance import GUIDANCE_PRESETS, Branch, Guidance, combine


@pytest.mark.parametrize(
    ("guidance", "calls"),
    [
        (GUIDANCE_PRESETS["photo"], 2),
        (GUIDANCE_PRESETS["stylised"], 3),
        (GUIDANCE_PRESETS["extreme"], 3),
        (Guidance(w=3.0, c=0.3, a=0.4), 4),
        (Guidance(w=1.0), 1),
        (Guidance(w=1.0, c=0.0, a=0.0), 1),
    ],
)
def test_guidance_is_the_papers_formula_at_no_more_calls_than_it_has_weights(guidance: Guidance, calls: int) -> None:
    rng = np.random.default_rng(0)
    eps = {key: rng.normal(size=(2, 4, 8, 8)) for key in [(True, True), (False, True), (True, False), (False, False)]}
    w, c, a = guidance.w, guidance.c, guidance.a
    hat = c * eps[True, True] + (1 - c) * (a * eps[False, True] + (1 - a) * eps[True, False])
    expected = w * hat + (1 - w) * eps[False, False]
    weights = guidance.weights()
    assert len(weights) == calls
    found = combine(torch.from_numpy(np.stack([eps[branch.value] for branch in weights])), weights)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_rescaling_brings_the_spread_back_to_that_without_w() -> None:
    guidance = Guidance(w=5.0, c=0.3, a=0.4)
    predictions = torch.randn(4, 3, 4, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weights = guidance.weights()
    hat = combine(predictions, replace(guidance, w=1.0).weights() | {Branch.NONE: 0.0})
    plain, full, half = (combine(predictions, weights, rescale) for rescale in (0.0, 1.0, 0.5))
    torch.testing.assert_close(full.std((1, 2, 3)), hat.std((1, 2, 3)))
    torch.testing.assert_close(half, (plain + full) / 2)
