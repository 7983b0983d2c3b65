"""A training from its start or its last checkpoint to its last step."""

import logging
import signal
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed

from face0.io.cards import CARD
from face0.model.card import trained_card
from face0.model.guidance import Guidance
from face0.model.lineage import Lineage
from face0.model.pipeline import as_images, noise
from face0.model.samplers import make_scheduler
from face0.runtime.progress import PATIENCE, ProgressBar
from face0.shards.decoding import Batch
from face0.shards.loader import FaceShards
from face0.training.checkpoints import Checkpoints
from face0.training.config import Intervals
from face0.training.held_out import face_losses
from face0.training.log import TrainingLog
from face0.training.throughput import Throughput
from face0.training.trainer import Trainer, learning_rate

logger = logging.getLogger(__name__)

HELD_OUT_LOSS = "held_out_loss"
GRID = 8  # held-out faces of a sample grid


class Terminated:
    """Whether any process was asked to end (SIGTERM, SIGINT), while the block lasts."""

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Terminated":
        self._before = {name: signal.signal(name, self._ask) for name in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for name, handler in self._before.items():
            signal.signal(name, handler)

    def _ask(self, *_: object) -> None:
        self._asked = True

    def __call__(self) -> bool:
        """Tells whether any process was asked to end: the same answer in all of them."""
        if not distributed.is_initialized():
            return self._asked
        flag = torch.tensor(float(self._asked))
        distributed.all_reduce(flag)
        return bool(flag)


class TrainingLoop:
    """One training: its parts, and the loop over its steps.

    Args:
        trainer: the model; at its start, or loaded from a checkpoint.
        shards: what it learns from.
        checkpoints: where it is saved.
        intervals: when it is logged, evaluated and saved.
        log: in the first process.
        facts: what the lineage says beside step and loss.
        threads: that decode images.
        rank: number of this process, from 0.
        world: number of processes.
    """

    def __init__(
        self,
        trainer: Trainer,
        shards: FaceShards,
        checkpoints: Checkpoints,
        intervals: Intervals,
        log: TrainingLog | None,
        facts: Mapping[str, Any],
        threads: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._trainer, self._shards, self._checkpoints = trainer, shards, checkpoints
        self._intervals, self._log, self._facts, self._threads = intervals, log, facts, threads
        self._rank, self._world = rank, world
        config = trainer.config
        self._held_out = shards.held_out(resolution=config.resolution, slots=config.slots) if log else None
        self._evaluated: dict[int, float] = {}  # held-out loss by step
        self._failed = 0

    def __call__(self) -> bool:
        """Trains to the last step, or until it is asked to end. Returns whether it came to the last.

        Raises:
            TrainingError: a loss is not finite, or a checkpoint could not be written.
        """
        with Terminated() as terminated:
            return self._steps(terminated)

    def _steps(self, terminated: Terminated) -> bool:
        trainer, config = self._trainer, self._trainer.config
        pace = Throughput(trainer, self._world)
        with ProgressBar(total=config.steps, unit="steps", done=trainer.step, patience=PATIENCE) as bar:
            bar.disable = bar.disable or self._log is None
            self._take_steps(pace, bar, terminated)
        return trainer.step == config.steps

    def _take_steps(self, pace: Throughput, bar: ProgressBar, terminated: Terminated) -> None:
        trainer, config, intervals = self._trainer, self._trainer.config, self._intervals
        for batch in pace.waited(self._batches()):
            loss = self._summed(trainer.take_step(batch))
            bar.failed = self._failed
            bar.set_postfix_str(f"loss {loss:.4g}", refresh=False)
            bar.update()
            self._report_failed(batch)
            step = trainer.step
            ends = step == config.steps or terminated()
            if intervals.log and (step % intervals.log == 0 or step == 1 or ends):
                figures = {"loss": loss, "learning_rate": learning_rate(config, step - 1), **pace.figures()}
                if self._log:
                    self._log.scalars(step, figures)
            if intervals.evaluate and (step == config.steps or (step % intervals.evaluate == 0 and not ends)):
                self._evaluate()
                pace.reset()
            if ends or (intervals.save and step % intervals.save == 0):
                self._save()
                pace.reset()
            if ends:
                break

    def _batches(self) -> Iterator[Batch]:
        config = self._trainer.config
        return self._shards.batches(
            batch=config.batch,
            resolution=config.resolution,
            slots=config.slots,
            seed=config.seed,
            start=self._trainer.step * config.batch,
            rank=self._rank,
            world=self._world,
            threads=self._threads,
        )

    def _summed(self, share: float) -> float:
        if self._world == 1:
            return share
        total = torch.tensor(share, dtype=torch.float64)
        distributed.all_reduce(total)
        return float(total)

    def _report_failed(self, batch: Batch) -> None:
        for key, message in batch.failed:
            self._failed += 1
            if self._failed <= 10:
                logger.info(f"not trained on: {key}: {message}")

    def _evaluate(self) -> None:
        """Held-out loss and sample grid, with the averaged weights. All processes wait for the first."""
        if self._log and self._held_out and self._held_out.keys:
            trainer, pipe, batch = self._trainer, self._trainer.pipe, self._held_out
            with trainer.averaged(), torch.no_grad():
                latents = trainer.encoder.means(batch.images)
                states = trainer.encoder.states(batch.captions)
                sample_losses = face_losses(pipe, latents, states, batch.faces, batch.present, repeats=2)
                self._log.picture(trainer.step, sample_grid(trainer, batch))
            self._evaluated[trainer.step] = float(sample_losses.mean())
            self._log.scalars(trainer.step, {HELD_OUT_LOSS: self._evaluated[trainer.step]})
        if self._world > 1:
            distributed.barrier()

    def _save(self) -> None:
        if self._rank == 0:
            trainer = self._trainer
            loss = self._evaluated.get(trainer.step)
            config = asdict(trainer.config)

            def write(folder: Path) -> None:
                trainer.save(folder)
                lineage = Lineage(step=trainer.step, held_out_loss=loss, config=config, **self._facts)
                lineage.write(folder)
                (folder / CARD).write_text(trained_card(lineage, self._shards.samples, self._shards.dim))

            self._checkpoints.save(trainer.step, write, {HELD_OUT_LOSS: loss})
            self._checkpoints.prune(self._intervals.keep, HELD_OUT_LOSS)
        if self._world > 1:
            distributed.barrier()


def sample_grid(trainer: Trainer, batch: Batch, steps: int = 30) -> np.ndarray:
    """Held-out photographs above pictures made of their faces and captions, the same noise for all: uint8 [H, W, 3]."""
    pipe, count = trainer.pipe, min(GRID, len(batch.keys))
    pipe.set_progress_bar_config(disable=True)
    guidance = Guidance(w=3.0)
    faces, present = batch.faces[:count].to(trainer.device), batch.present[:count].to(trainer.device)
    contexts = pipe.contexts(batch.captions[:count], faces, present, guidance)
    side = trainer.config.resolution // pipe.shrink
    shape = 1, pipe.unet.config.in_channels, side, side
    start = noise(shape, torch.Generator().manual_seed(0), trainer.device, torch.float32).expand(count, -1, -1, -1)
    scheduler = make_scheduler("ddim", pipe.scheduler.config)
    made = as_images(pipe.decode(pipe.denoise(start, contexts, guidance, steps, scheduler)))
    rows = [torch.cat(list(images), dim=2) for images in (batch.images[:count], made)]
    return torch.cat(rows, dim=1).permute(1, 2, 0).numpy()
