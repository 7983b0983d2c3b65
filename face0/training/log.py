"""Where the figures and pictures of a training go: the log, TensorBoard files beside a local model, and wandb."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from fsspec.implementations.local import LocalFileSystem
from PIL import Image

from face0.errors import UsageError
from face0.io import storage

logger = logging.getLogger(__name__)


class TrainingLog:
    """Lines in the log; ``logs/`` and ``samples/`` beside a local model; a run of wandb if asked for.

    Args:
        output: URI of the model folder.
        steps: of the whole training.
        first: step from which on TensorBoard forgets what a run which was killed has logged.
        wandb: see ``wandb_run``; None: not there.
    """

    def __init__(self, output: str, steps: int, first: int, wandb: Any = None) -> None:
        fs, path = storage.filesystem(output)
        self._steps, self._wandb = steps, wandb
        self._folder = Path(path) if isinstance(fs, LocalFileSystem) else None
        self._writer = None
        if self._folder:
            from torch.utils.tensorboard import SummaryWriter  # takes a second to import

            self._writer = SummaryWriter(str(self._folder / "logs"), purge_step=first)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Logs figures of a step, by name."""
        figures = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
        logger.info(f"step {step:,}/{self._steps:,}  {figures}")
        if self._writer:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
            self._writer.flush()
        if self._wandb:
            self._wandb.log(dict(values), step=step)

    def picture(self, step: int, grid: np.ndarray) -> None:
        """Logs the grid of samples of a step, uint8 [H, W, 3]."""
        if self._folder and self._writer:
            path = self._folder / "samples" / f"step-{step:08d}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(grid).save(path)
            self._writer.add_image("samples", grid, step, dataformats="HWC")
        if self._wandb:
            self._wandb.log({"samples": self._wandb.Image(grid)}, step=step)


def wandb_run(project: str, facts: Mapping[str, Any]) -> Any:
    """Begins a run of Weights & Biases, and returns its module. WANDB_RUN_ID and WANDB_RESUME go on with another.

    Raises:
        UsageError: wandb is not installed.
    """
    try:
        import wandb
    except ImportError as error:
        raise UsageError(f"--wandb {project}: the package wandb is not installed; pip install wandb") from error
    wandb.init(project=project, config=dict(facts))
    return wandb
