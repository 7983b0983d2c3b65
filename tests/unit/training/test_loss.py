"""The loss and its weights."""

from dataclasses import replace

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
