"""The one interface of all embedders: it owns crop, forward and dimension."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from face0.faces import Faces


class Embedder(Protocol):
    """Turns faces into conditioning vectors. Made by ``EmbedderConfig.load``, once per process."""

    dim: int

    def embed(self, images: Sequence[np.ndarray], faces: Sequence[Faces]) -> list[np.ndarray]:
        """Embeds the faces of a batch of images.

        Args:
            images: uint8 [H, W, 3] each, sizes may differ.
            faces: those of each image.

        Returns:
            float32 [n, dim] for each image.
        """

    def identity(self, vectors: np.ndarray) -> np.ndarray:
        """Unit vectors [n, d] whose cosine tells people apart, from stored vectors [n, dim] and nothing else."""


class EmbedderConfig(Protocol):
    """Names an embedder, in values that travel to workers and into ``job.json``."""

    def resolve(self) -> "EmbedderConfig":
        """Finds and checks the weights; returns the configuration with their digest.

        Raises:
            UsageError: the weights are missing or not the ones that were named.
        """

    def load(self, device: str) -> Embedder:
        """Loads the weights onto a torch device."""

    def metadata(self) -> Mapping[str, Any]:
        """What a file's metadata says of its embeddings; whoever mixes two of these is refused."""
