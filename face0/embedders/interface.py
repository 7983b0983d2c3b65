"""The one interface of all embedders: it owns crop, forward and dimension."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from face0.detection.detections import Detections

# Faces that go through a net together. More are no faster on a CPU, and how much memory they take would depend on how
# many faces the images of a batch happen to have.
EMBEDDING_BATCH = 16


def in_batches(
    forward: Callable[[np.ndarray], np.ndarray],
    crops: np.ndarray,
    dim: int,
    always_full: bool = False,
    size: int = EMBEDDING_BATCH,
) -> np.ndarray:
    """Applies a net to crops [n, ...], so many at a time: float32 [n, dim].

    Args:
        forward: the net.
        crops: its input.
        dim: values that it makes of each.
        always_full: fill the last batch up. The kernels of many nets, and with them the last bits of a vector, depend
            on the size of the batch, but not on what else is in it.
        size: of a batch.
    """
    parts = []
    for start in range(0, len(crops), size):
        batch = crops[start : start + size]
        missing = size - len(batch) if always_full else 0
        filled = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), batch.dtype)]) if missing else batch
        parts.append(forward(filled)[: len(batch)])
    return np.concatenate([np.empty((0, dim), np.float32), *parts])


class Embedder(Protocol):
    """Turns faces into conditioning vectors. Made by ``EmbedderConfig.load``, once per process.

    Attributes:
        dim: length of a vector.
    """

    dim: int

    def embed(self, images: Sequence[np.ndarray], faces: Sequence[Detections]) -> list[np.ndarray]:
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

    @property
    def weights(self) -> str | None:
        """URI of the weights; None: there are none, or they are in their usual place."""

    def load_identity(self, device: str) -> Callable[[np.ndarray], np.ndarray]:
        """Loads no more than what ``Embedder.identity`` takes, which is returned.

        Raises:
            UsageError: the weights are missing or not the ones that were named.
        """

    def metadata(self) -> Mapping[str, Any]:
        """What a file's metadata says of its embeddings; whoever mixes two of these is refused."""
