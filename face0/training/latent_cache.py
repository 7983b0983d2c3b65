"""What a VAE says of images, kept from one epoch to the next: in memory, or in a file that outlives the training."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from filelock import FileLock

from face0.errors import UsageError
from face0.io.permissions import make_folders, opener
from schemas.latents import LATENTS


class LatentCache(Protocol):
    """Means and deviations of latents, [2 C, h, w] float32, by row."""

    def missing(self, rows: Sequence[int]) -> list[int]:
        """Places in ``rows`` of which nothing is kept yet."""

    def put(self, rows: Sequence[int], moments: torch.Tensor) -> None:
        """Keeps the means and deviations of n rows: float32 [n, 2 C, h, w], on the CPU."""

    def get(self, rows: Sequence[int]) -> torch.Tensor:
        """The means and deviations of n rows that are all kept: float32 [n, 2 C, h, w], on the CPU."""


class InMemory:
    """Latents in memory: gone when the process ends, and each process has its own."""

    def __init__(self) -> None:
        self._kept: dict[int, torch.Tensor] = {}

    def missing(self, rows: Sequence[int]) -> list[int]:
        """See ``LatentCache``."""
        return [i for i, row in enumerate(rows) if row not in self._kept]

    def put(self, rows: Sequence[int], moments: torch.Tensor) -> None:
        """See ``LatentCache``."""
        self._kept.update((row, row_moments.clone()) for row, row_moments in zip(rows, moments, strict=True))

    def get(self, rows: Sequence[int]) -> torch.Tensor:
        """See ``LatentCache``."""
        return torch.stack([self._kept[row] for row in rows])


class OnDisk:
    """A file with a place for each row, which processes of one machine share and later trainings go on with.

    All space is reserved at first, for a disk that is full later would end the process without a word. A row counts
    once its flag is set, after its values: processes that write the same row write the same.

    Args:
        folder: local.
        name: of the file: what it holds depends on.
        rows: places.
        shape: [2 C, h, w].

    Attributes:
        path: of the file.

    Raises:
        UsageError: there is no room, or the folder cannot be written to.
    """

    def __init__(self, folder: Path, name: str, rows: int, shape: tuple[int, int, int]) -> None:
        values = rows * int(np.prod(shape)) * np.dtype(np.float32).itemsize
        self.path = path = folder / f"{name}{LATENTS}"
        try:
            _reserve(path, values + rows)
            self._moments = np.memmap(path, np.float32, "r+", shape=(rows, *shape))
            self._kept = np.memmap(path, np.uint8, "r+", offset=values, shape=(rows,))
        except OSError as error:
            raise UsageError(
                f"--cache-latents {folder}: {values / 1e9:,.1f} GB for latents of {rows:,} rows cannot be had there "
                f"({error}): give a folder on another local disk, or go without"
            ) from error

    def missing(self, rows: Sequence[int]) -> list[int]:
        """See ``LatentCache``."""
        return np.flatnonzero(self._kept[list(rows)] == 0).tolist()

    def put(self, rows: Sequence[int], moments: torch.Tensor) -> None:
        """See ``LatentCache``."""
        self._moments[list(rows)] = moments.numpy()
        self._kept[list(rows)] = 1

    def get(self, rows: Sequence[int]) -> torch.Tensor:
        """See ``LatentCache``."""
        return torch.from_numpy(self._moments[list(rows)])


def _reserve(path: Path, size: int) -> None:
    """A file of zeros, whole or not there, unless there is one already. Other processes may want the same one."""
    make_folders(path.parent)
    with FileLock(path.with_suffix(".lock")):
        if path.exists():
            return
        part = path.with_suffix(".part")
        try:
            with open(part, "wb", opener=opener) as file:
                os.posix_fallocate(file.fileno(), 0, size)
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)
