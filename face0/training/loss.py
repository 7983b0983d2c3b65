"""The noise-prediction loss, at draws that depend on a sample's place in the training alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import DDPMScheduler, SchedulerMixin, UNet2DConditionModel
from diffusers.training_utils import compute_snr
from torch.nn import functional

from face0.model.samplers import model_settings
from face0.runtime.random import number


@dataclass(frozen=True, kw_only=True)
class Draws:
    """What is random about n samples.

    Attributes:
        time: int64 [n], 0 .. training steps of the scheduler - 1.
        noise: float32 [n, C, h, w], normal: what the U-Net is to find.
        posterior: float32 [n, C, h, w], normal: places the latents within what the VAE gives.
        coins: float32 [n, 2] in 0..1: whether the face, and whether the text is dropped.
    """

    time: torch.Tensor
    noise: torch.Tensor
    posterior: torch.Tensor
    coins: torch.Tensor

    def to(self, device: torch.device) -> "Draws":
        """The same draws on another device."""
        return Draws(**{name: value.to(device, non_blocking=True) for name, value in vars(self).items()})


def draw(seed: int, positions: Sequence[int], shape: tuple[int, ...], times: int) -> Draws:
    """Draws what is random about the samples at these positions.

    Each sample has a generator of its own, so that they do not depend on batch, rank or where a run was resumed.

    Args:
        seed: of the training.
        positions: of n samples, in the order of the training.
        shape: of the latents of one, (C, h, w).
        times: training steps of the scheduler.
    """
    time, noise, posterior, coins = [], [], [], []
    for position in positions:
        generator = torch.Generator().manual_seed(number(seed, position))
        time.append(torch.randint(times, (), generator=generator))
        coins.append(torch.rand(2, generator=generator))
        noise.append(torch.randn(shape, generator=generator))
        posterior.append(torch.randn(shape, generator=generator))
    return Draws(
        time=torch.stack(time),
        noise=torch.stack(noise),
        posterior=torch.stack(posterior),
        coins=torch.stack(coins),
    )


def noise_schedule(scheduler: SchedulerMixin) -> DDPMScheduler:
    """How noise is added in training, for a model that is sampled with this scheduler.

    Some samplers (Euler, LMS) add noise in a scale of their own, and some cannot give v.
    """
    return DDPMScheduler(**model_settings(scheduler.config))


def losses(
    unet: UNet2DConditionModel,
    scheduler: DDPMScheduler,
    latents: torch.Tensor,
    context: torch.Tensor,
    draws: Draws,
    min_snr: float = 0.0,
) -> torch.Tensor:
    """The squared error of the prediction of each sample: float32 [n].

    Args:
        unet: the U-Net, or a wrapper of it.
        scheduler: see ``noise_schedule``; says how noise is added, and whether epsilon or v is predicted.
        latents: [n, C, h, w], scaled.
        context: [n, 77, D].
        draws: times and noise.
        min_snr: gamma of min-SNR weighting (Hang et al. 2023); 0: all times weigh the same.
    """
    noisy = scheduler.add_noise(latents, draws.noise, draws.time)
    is_v = scheduler.config.prediction_type == "v_prediction"
    target = scheduler.get_velocity(latents, draws.noise, draws.time) if is_v else draws.noise
    predicted = unet(noisy, draws.time, encoder_hidden_states=context, return_dict=False)[0]
    error = functional.mse_loss(predicted.float(), target.float(), reduction="none").flatten(1).mean(dim=1)
    if not min_snr:
        return error
    snr = compute_snr(scheduler, draws.time)
    return error * snr.clamp(max=min_snr) / (snr + 1 if is_v else snr)
