"""Training: the U-Net and the projection learn to predict noise from text and face (paper, "Training")."""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from diffusers.training_utils import EMAModel
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from face0.errors import TrainingError
from face0.model.pipeline import Face0Pipeline
from face0.model.projection import override
from face0.shards.decoding import Batch
from face0.training.checkpoints import STATE
from face0.training.config import RunOptions, TrainConfig
from face0.training.encoder import BLANK, Encoder
from face0.training.latent_cache import LatentCache
from face0.training.loss import Draws, draw, losses, noise_schedule

LORA_LAYERS = ["to_q", "to_k", "to_v", "to_out.0"]


def learning_rate(config: TrainConfig, step: int) -> float:
    """The learning rate of a step, counted from 0: a linear warm-up, then constant or half a cosine.

    Not by diffusers' ``get_scheduler``: its warm-up begins at 0, so that the first step learns nothing, and it keeps
    state, while a training resumes exactly because all it does follows from the number of the step.
    """
    rate = config.learning_rate * min(1.0, (step + 1) / config.warmup) if config.warmup else config.learning_rate
    if config.schedule == "cosine":
        done = max(0, step - config.warmup) / max(1, config.steps - config.warmup)
        rate *= (1 + math.cos(math.pi * min(1.0, done))) / 2
    return rate


class Trainer:
    """Model, optimiser and average; takes steps.

    The average is diffusers' ``EMAModel``: its decay grows to the configured one as (1 + step) / (10 + step), and the
    first step's weights replace those of the start.

    Args:
        pipe: the model at its start.
        config: of the training.
        running: how it runs.
        device: of this process.
        world: number of processes.
        cache: of latents; None: images are encoded each time.
    """

    def __init__(
        self,
        pipe: Face0Pipeline,
        config: TrainConfig,
        running: RunOptions,
        device: torch.device,
        world: int = 1,
        cache: LatentCache | None = None,
    ) -> None:
        self.pipe, self.config, self.device, self.step = pipe, config, device, 0
        self.running, self._world = running, world
        for part in (pipe.vae, pipe.text_encoder):
            part.requires_grad_(False).eval().to(device)
        pipe.vae.to(memory_format=torch.channels_last)
        prepare_unet(pipe.unet, config, running)
        pipe.unet.to(device).to(memory_format=torch.channels_last)
        pipe.face_projection.to(device).train()
        self.encoder = Encoder(pipe, device, cache)
        model = ConditionedUNet(pipe, config)
        self._names, self._parameters = zip(
            *((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad), strict=True
        )
        self._fused = device.type == "cuda"
        self._optimiser = torch.optim.AdamW(
            self._parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=self._fused
        )
        # On a CPU its loop over the parameters is faster, for the other way allocates them all anew at every step.
        self.average = EMAModel(self._parameters, config.ema, foreach=device.type == "cuda")
        if running.compile:
            model.compile()
        self._model: nn.Module = DistributedDataParallel(model) if world > 1 else model

    def take_step(self, batch: Batch) -> float:
        """Takes one step on this process's share of the global batch.

        Returns:
            The sum of the share's losses over the size of the global batch: summed over the processes, the mean loss.

        Raises:
            TrainingError: a loss or the gradient is not finite, in any process; the weights are as before the step.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate(self.config, self.step)
        total = torch.zeros((), device=self.device)
        parts = list(split(batch, self.running.accumulate))
        bad = []
        for i, part in enumerate(parts):
            sample_losses = self._losses(part, last=i == len(parts) - 1)
            bad += [key for key, fine in zip(part.keys, sample_losses.isfinite().tolist(), strict=True) if not fine]
            total += sample_losses.detach().sum() / self.config.batch
        if not parts:  # no image of this share decodes, and other processes wait for its gradient
            self._losses(self._blank(), last=True, weight=0.0)
        # The same in all processes, so all of them go on or none does.
        norm = nn.utils.clip_grad_norm_(self._parameters, self.config.clip or math.inf)
        if not norm.isfinite():
            self._optimiser.zero_grad(set_to_none=True)
            where = (
                f"for the samples {', '.join(bad[:20])}" if bad else f"among the samples {', '.join(batch.keys[:20])}"
            )
            raise TrainingError(f"loss or gradient are not a number at step {self.step}, {where}")
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self.average.step(self._parameters)
        self.step += 1
        return total.item()

    def save(self, folder: Path) -> None:
        """Writes the averaged model as a diffusers folder, and the state of the training beside it."""
        with self.averaged():
            unet = self.pipe.unet
            if self.config.lora:
                self.pipe.unet = merged(unet)
            try:
                self.pipe.save_pretrained(folder, safe_serialization=True)
            finally:
                self.pipe.unet = unet
        (folder / STATE).mkdir()
        tensors = {
            f"weight.{name}": parameter.detach() for name, parameter in zip(self._names, self._parameters, strict=True)
        }
        tensors |= {
            f"average.{name}": average for name, average in zip(self._names, self.average.shadow_params, strict=True)
        }
        for name, parameter in zip(self._names, self._parameters, strict=True):
            for key, value in self._optimiser.state[parameter].items():
                tensors[f"{key}.{name}"] = value
        save_file(
            {name: value.cpu().contiguous() for name, value in tensors.items()},
            folder / STATE / "state.safetensors",
        )

    def load(self, folder: Path, step: int) -> None:
        """Loads what ``save`` wrote, to go on from there.

        Args:
            folder: a local checkpoint.
            step: after which it was saved.
        """
        tensors = load_file(folder / STATE / "state.safetensors")
        with torch.no_grad():
            for i, (name, parameter) in enumerate(zip(self._names, self._parameters, strict=True)):
                parameter.copy_(tensors[f"weight.{name}"])
                self.average.shadow_params[i].copy_(tensors[f"average.{name}"])
                state = self._optimiser.state[parameter]
                state["step"] = tensors[f"step.{name}"].to(parameter.device if self._fused else "cpu")
                for key in ("exp_avg", "exp_avg_sq"):
                    state[key] = torch.empty_like(parameter).copy_(tensors[f"{key}.{name}"])
        self.step = self.average.optimization_step = step

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """A context in which the model has the averaged weights."""
        self.average.store(self._parameters)
        self.average.copy_to(self._parameters)
        try:
            yield
        finally:
            self.average.restore(self._parameters)

    def _losses(self, part: Batch, last: bool, weight: float = 1.0) -> torch.Tensor:
        """Losses of a part of the batch [n], their gradients added up; processes exchange them at the last."""
        shape = latent_shape(self.pipe, self.config.resolution)
        times = self.pipe.scheduler.config.num_train_timesteps
        draws = draw(self.config.seed, part.positions.tolist(), shape, times).to(self.device)
        latents = self.encoder.latents(part, draws.posterior)
        dropped = (draws.coins[:, 1] < self.config.drop_text).tolist()
        captions = ["" if drop else caption for drop, caption in zip(dropped, part.captions, strict=True)]
        states = self.encoder.states(captions)
        present = part.present.to(self.device) & (draws.coins[:, :1] >= self.config.drop_face)
        if isinstance(self._model, DistributedDataParallel):
            self._model.require_backward_grad_sync = last
        sample_losses: torch.Tensor = self._model(latents, states, part.faces.to(self.device), present, draws)
        # Processes average their gradients: each has its share of the sum over the batch, times their number.
        (sample_losses.sum() * weight * self._world / self.config.batch).backward()
        return sample_losses

    def _blank(self) -> Batch:
        """A black image without a caption or a face."""
        slots, dim, side = self.config.slots, self.pipe.face_projection.config.embedding_dim, self.config.resolution
        return Batch(
            keys=[""],
            captions=[""],
            images=torch.zeros(1, 3, side, side, dtype=torch.uint8),
            faces=torch.zeros(1, slots, dim),
            present=torch.zeros(1, slots, dtype=torch.bool),
            rows=torch.tensor([BLANK]),
            positions=torch.tensor([0]),
            failed=[],
        )


class ConditionedUNet(nn.Module):
    """Projection and U-Net as one module: what is trained, and what processes keep equal."""

    def __init__(self, pipe: Face0Pipeline, config: TrainConfig) -> None:
        super().__init__()
        self.unet, self.face_projection = pipe.unet, pipe.face_projection
        self._scheduler, self._config = noise_schedule(pipe.scheduler), config

    def forward(
        self, latents: torch.Tensor, states: torch.Tensor, faces: torch.Tensor, present: torch.Tensor, draws: Draws
    ) -> torch.Tensor:
        """Losses of n samples: float32 [n].

        Args:
            latents: scaled, [n, C, h, w].
            states: of the text encoder, [n, 77, D].
            faces: [n, slots, dim].
            present: which slots are taken, bool [n, slots].
            draws: noise and times.
        """
        with torch.autocast(latents.device.type, torch.bfloat16, enabled=self._config.precision == "bf16"):
            context = override(states, self.face_projection(faces, present))
            return losses(self.unet, self._scheduler, latents, context, draws, self._config.min_snr)


def prepare_unet(unet: UNet2DConditionModel, config: TrainConfig, running: RunOptions) -> None:
    """Makes the U-Net, or a LoRA of it, ready to be trained."""
    unet.train()
    if config.lora:
        unet.requires_grad_(False)
        unet.add_adapter(LoraConfig(r=config.lora, lora_alpha=config.lora, target_modules=LORA_LAYERS))
    if running.gradient_checkpointing:
        unet.enable_gradient_checkpointing()


def merged(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """A copy of a U-Net with its LoRA in its weights."""
    whole = copy.deepcopy(unet)
    whole.fuse_lora()
    whole.unload_lora()
    return whole


def latent_shape(pipe: Face0Pipeline, resolution: int) -> tuple[int, int, int]:
    """The shape (C, h, w) of the latents of an image of so many pixels a side."""
    side = resolution // pipe.shrink
    return pipe.unet.config.in_channels, side, side


def split(batch: Batch, parts: int) -> Iterator[Batch]:
    """A batch in so many parts, those that are not empty."""
    places = range(len(batch.keys))
    size = max(1, math.ceil(len(places) / parts))
    for start in range(0, len(places), size):
        yield batch.take(places[start : start + size])
