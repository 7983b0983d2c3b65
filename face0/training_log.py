"""Where the figures and pictures of a training go: the terminal, and TensorBoard files beside a local model."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from fsspec.implementations.local import LocalFileSystem
from PIL import Image

from face0 import storage


class TrainingLog:
    """Lines on the terminal; ``logs/`` and ``samples/`` in a model folder, if that is local.

    Steps from ``first`` on that a run which was killed has logged are forgotten.
    """

    def __init__(self, output: str, steps: int, first: int) -> None:
        fs, path = storage.filesystem(output)
        self._steps = steps
        self._folder = Path(path) if isinstance(fs, LocalFileSystem) else None
        self._writer = None
        if self._folder:
            from torch.utils.tensorboard import SummaryWriter  # takes a second to import

            self._writer = SummaryWriter(str(self._folder / "logs"), purge_step=first)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of a step, by name."""
        print(f"step {step:,}/{self._steps:,}  " + "  ".join(f"{k} {v:.4g}" for k, v in values.items()), flush=True)
        if self._writer:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
            self._writer.flush()

    def picture(self, step: int, grid: np.ndarray) -> None:
        """A sample grid, uint8 [H, W, 3]."""
        if self._folder and self._writer:
            path = self._folder / "samples" / f"step-{step:08d}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(grid).save(path)
            self._writer.add_image("samples", grid, step, dataformats="HWC")
