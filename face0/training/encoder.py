"""Frozen encoders of a training: images to latents, captions to states."""

from collections.abc import Sequence

import torch

from face0.io import storage
from face0.model.pipeline import Face0Pipeline
from face0.shards.decoding import Batch
from face0.training.latent_cache import LatentCache, OnDisk

ENCODE = 8  # images that go through the VAE together: always as many, so that latents do not depend on the batch


BLANK = -1  # in place of a row


class Encoder:
    """The frozen parts: images to latents, captions to states.

    Args:
        pipe: the model; its VAE and text encoder are used.
        device: of this process.
        cache: of latents; None: images are encoded each time.

    Attributes:
        kept_in: URI of the file in which latents are kept; empty: in none.
    """

    def __init__(self, pipe: Face0Pipeline, device: torch.device, cache: LatentCache | None) -> None:
        self._pipe, self._device, self._cache = pipe, device, cache
        self.kept_in = storage.absolute(str(cache.path)) if isinstance(cache, OnDisk) else ""

    @torch.no_grad()
    def latents(self, batch: Batch, posterior: torch.Tensor) -> torch.Tensor:
        """Encodes the batch's images as scaled latents [n, C, h, w].

        Args:
            batch: n samples; their latents are taken from the cache, if there is one.
            posterior: normal draws [n, C, h, w], which place the latents within what the VAE gives.
        """
        mean, deviation = self._moments(batch).chunk(2, dim=1)
        return (mean + deviation * posterior) * self._pipe.vae.config.scaling_factor

    @torch.no_grad()
    def states(self, captions: Sequence[str]) -> torch.Tensor:
        """The text encoder's states of captions: [n, 77, D]."""
        return self._pipe.encode_text(captions)

    @torch.no_grad()
    def means(self, images: torch.Tensor) -> torch.Tensor:
        """Images (uint8 [n, 3, H, W]) as scaled latents [n, C, h, w] in the middle of what the VAE gives."""
        return self._encode(images).chunk(2, dim=1)[0] * self._pipe.vae.config.scaling_factor

    def _moments(self, batch: Batch) -> torch.Tensor:
        rows = batch.rows.tolist()
        if self._cache is None or BLANK in rows:
            return self._encode(batch.images)
        if missing := self._cache.missing(rows):
            self._cache.put([rows[i] for i in missing], self._encode(batch.images[missing]).cpu())
        return self._cache.get(rows).to(self._device)

    def _encode(self, images: torch.Tensor) -> torch.Tensor:
        """Mean and deviation of the latents, [n, 2 C, h, w]."""
        parts = []
        for start in range(0, len(images), ENCODE):
            chunk = images[start : start + ENCODE].to(self._device, non_blocking=True)
            padded = torch.zeros(ENCODE, *chunk.shape[1:], device=self._device)
            padded[: len(chunk)] = chunk / 127.5 - 1
            posterior = self._pipe.vae.encode(padded.contiguous(memory_format=torch.channels_last)).latent_dist
            parts.append(torch.cat([posterior.mean, posterior.std], dim=1)[: len(chunk)])
        return torch.cat(parts)
