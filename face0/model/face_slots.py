"""Faces of a call of the pipeline, put into the model's slots."""

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from PIL import Image

from face0.errors import UsageError

Face = Image.Image | np.ndarray | torch.Tensor


def faces_of_prompts(
    face: Face | Sequence[Any] | None, prompts: int, read: Callable[[Image.Image], np.ndarray]
) -> list[np.ndarray]:
    """The faces of each prompt's pictures, [n, dim] each.

    Args:
        face: the same for all prompts: a photograph, a vector [dim], vectors [n, dim] of the n faces of a picture; or
            another for each: [prompts, n, dim], or a list of these or None.
        prompts: how many there are.
        read: makes vectors [n, dim] of a photograph.

    Raises:
        UsageError: it is none of these, of another number of prompts, or has values that are not finite.
    """
    if isinstance(face, torch.Tensor):
        face = face.detach().float().cpu().numpy()
    if isinstance(face, list | tuple) and face and all(isinstance(value, Real) for value in face):
        face = np.asarray(face)
    several = isinstance(face, list | tuple) or (isinstance(face, np.ndarray) and face.ndim == 3)
    if not several:
        return [_vectors(face, read)] * prompts
    faces: Sequence[Any] = face  # type: ignore[assignment]  # seen above
    if len(faces) != prompts:
        raise UsageError(
            f"faces of {len(faces)} prompts for {prompts}: give a list or [prompts, faces, dim] with as many as there "
            "are prompts; an array [faces, dim] puts these faces into each picture"
        )
    return [_vectors(one, read) for one in faces]


def in_slots(faces: Sequence[np.ndarray], slots: int, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Puts faces into slots; a row of zeros leaves its slot empty.

    Args:
        faces: of each of N pictures, [n, dim].
        slots: of the model.
        dim: of its vectors.

    Returns:
        The vectors [N, slots, dim], zeros in empty slots, and which slots are taken, bool [N, slots].

    Raises:
        UsageError: a picture has more faces than slots, or vectors of another length.
    """
    placed = torch.zeros(len(faces), slots, dim)
    for row, vectors in zip(placed, faces, strict=True):
        if len(vectors) > slots:
            raise UsageError(
                f"{len(vectors)} faces for a model with {slots} {'slots' if slots > 1 else 'slot'}: an array [faces, "
                "dim] puts all of them into each picture; for a face of its own in each give [prompts, 1, dim]"
            )
        if not len(vectors):
            continue
        if vectors.shape[1] != dim:
            raise UsageError(f"a face of {vectors.shape[1]} values for a model of {dim}: another embedder's")
        row[: len(vectors)] = torch.from_numpy(np.asarray(vectors, np.float32))
    return placed, placed.any(dim=2)


def _vectors(face: Any, read: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
    """The vectors [n, dim] of one prompt's pictures."""
    if face is None:
        return np.zeros((0, 0), np.float32)
    if isinstance(face, Image.Image):
        return read(face)
    vectors = face.detach().float().cpu().numpy() if isinstance(face, torch.Tensor) else np.asarray(face)
    if vectors.ndim not in (1, 2) or vectors.dtype.kind not in "fiu":
        raise UsageError(
            f"a face is {type(face).__name__} {vectors.shape} of {vectors.dtype}: give a photograph as PIL image, a "
            "vector [dim], vectors [faces, dim], or one of these for each prompt"
        )
    if not np.isfinite(vectors).all():
        raise UsageError("a face has values that are not finite numbers: give another vector, or None for no face")
    return np.atleast_2d(vectors)
