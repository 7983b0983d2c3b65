"""Does the face matter? The noise-prediction loss of held-out samples with the true face, another one's, and none.

Paired: all three at the same noise and the same times, so that only the face differs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from face0.model.pipeline import Face0Pipeline
from face0.model.projection import override
from face0.runtime.progress import tracked
from face0.shards.decoding import Batch
from face0.training.loss import Draws, draw, losses, noise_schedule

EVALUATED_TOGETHER = 32  # samples


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A mean of paired differences with its 95 % bootstrap interval over samples.

    Attributes:
        mean: of the differences.
        low: 2.5 % quantile of the resampled means.
        high: 97.5 % quantile.
    """

    mean: float
    low: float
    high: float


@torch.no_grad()
def face_losses(
    pipe: Face0Pipeline,
    latents: torch.Tensor,
    states: torch.Tensor,
    faces: torch.Tensor,
    present: torch.Tensor,
    repeats: int,
    seed: int = 0,
) -> np.ndarray:
    """The mean loss of each sample over ``repeats`` times, spread evenly over all: float64 [n].

    Args:
        pipe: the model.
        latents: scaled, [n, C, h, w].
        states: of the text encoder, [n, 77, D].
        faces: [n, slots, dim].
        present: bool [n, slots].
        repeats: predictions of each sample.
        seed: of noise and times; the same seed gives the same.
    """
    total = np.zeros(len(latents))
    device, schedule = pipe.unet.device, noise_schedule(pipe.scheduler)
    times, shape = schedule.config.num_train_timesteps, tuple(latents.shape[1:])
    for repeat in tracked(range(repeats), "noises of the held-out rows"):
        for start in range(0, len(latents), EVALUATED_TOGETHER):
            chunk = slice(start, start + EVALUATED_TOGETHER)
            draws = _spread(shape, times, seed, start, len(latents[chunk]), repeat, repeats).to(device)
            context = override(
                states[chunk].to(device), pipe.face_projection(faces[chunk].to(device), present[chunk].to(device))
            )
            chunk_losses = losses(pipe.unet, schedule, latents[chunk].to(device), context, draws)
            total[chunk] += chunk_losses.double().cpu().numpy() / repeats
    return total


@torch.no_grad()
def compare_faces(pipe: Face0Pipeline, batch: Batch, repeats: int, seed: int = 0) -> Mapping[str, np.ndarray]:
    """Losses [n] of held-out samples with the ``true`` face, with ``another`` sample's, and with ``none``.

    Samples without a face say nothing and are left out.
    """
    batch = batch.take(batch.present.any(dim=1).nonzero()[:, 0].tolist())
    images = (batch.images.float() / 127.5 - 1).split(EVALUATED_TOGETHER)
    latents = torch.cat([pipe.vae.encode(chunk.to(pipe.unet.device)).latent_dist.mean for chunk in images])
    latents *= pipe.vae.config.scaling_factor
    states = torch.cat([pipe.encode_text(batch.captions[i : i + 256]) for i in range(0, len(batch.captions), 256)])
    arms = {
        "true": (batch.faces, batch.present),
        "another": (batch.faces.roll(1, dims=0), batch.present.roll(1, dims=0)),
        "none": (torch.zeros_like(batch.faces), torch.zeros_like(batch.present)),
    }
    return {
        name: face_losses(pipe, latents, states, faces, present, repeats, seed)
        for name, (faces, present) in arms.items()
    }


def difference(more: np.ndarray, less: np.ndarray, resamples: int = 10_000, seed: int = 0) -> Difference:
    """The mean of ``more - less`` over paired samples, with its interval.

    Args:
        more: losses [n].
        less: losses of the same samples [n].
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    paired = more - less
    rng = np.random.default_rng(seed)
    means = np.array([paired[rng.integers(0, len(paired), len(paired))].mean() for _ in range(resamples)])
    low, high = np.quantile(means, [0.025, 0.975])
    return Difference(mean=float(paired.mean()), low=float(low), high=float(high))


def _spread(shape: tuple[int, ...], times: int, seed: int, first: int, count: int, repeat: int, repeats: int) -> Draws:
    """Draws of samples first, first + 1, ...; the times of a sample's repeats each lie in their own stretch."""
    draws = draw(seed, [(first + i) * repeats + repeat for i in range(count)], shape, times)
    return replace(draws, time=(draws.time + repeat * times) // repeats)
