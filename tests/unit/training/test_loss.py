"""Draws depend on the position in the run alone, and losses have the weights of min-SNR."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from face0.training.loss import draw, losses

TIMES = [0, 100, 400, 700, 999]


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_min_snr_weights_are_those_of_the_paper(kind: str) -> None:
    """Hang et al. 2023: min(SNR, gamma) / SNR for noise, min(SNR, gamma) / (SNR + 1) for v."""
    scheduler = DDPMScheduler(beta_schedule="scaled_linear", prediction_type=kind)
    draws = replace(draw(0, range(len(TIMES)), (4, 2, 2), 1000), time=torch.tensor(TIMES))

    def unet(noisy: torch.Tensor, *_: object, **__: object) -> tuple[torch.Tensor]:
        return (torch.zeros_like(noisy),)

    latents = torch.randn(len(TIMES), 4, 2, 2)
    plain, weighted = (losses(unet, scheduler, latents, latents, draws, gamma) for gamma in (0.0, 5.0))
    signal = scheduler.alphas_cumprod[TIMES]
    snr = signal / (1 - signal)
    assert snr.min() < 5 < snr.max()
    torch.testing.assert_close(weighted / plain, snr.clamp(max=5) / (snr if kind == "epsilon" else snr + 1))


def test_draws_depend_on_the_position_alone() -> None:
    together, alone = draw(3, [5, 6, 7], (4, 2, 2), 1000), draw(3, [6], (4, 2, 2), 1000)
    for name, value in vars(alone).items():
        assert torch.equal(value[0], getattr(together, name)[1])
    assert not torch.equal(draw(4, [6], (4, 2, 2), 1000).noise, alone.noise)


def test_draws_of_many_positions_are_spread() -> None:
    draws = draw(0, range(4000), (1, 1, 1), 1000)
    assert abs(draws.time.float().mean() - 499.5) < 20
    assert abs(draws.noise.mean()) < 0.06
    assert abs(draws.noise.std() - 1) < 0.05
    assert abs((draws.coins < 0.1).float().mean() - 0.1) < 0.02
    assert abs(np.corrcoef(draws.noise[:-1].flatten(), draws.noise[1:].flatten())[0, 1]) < 0.05
