"""A step's time beside a plain loop after diffusers' text-to-image example, at equal work.

  python -m benchmarks.training --base BASE --shards OUT

Both take the same batches through VAE and text encoder, train U-Net and projection with AdamW on the noise-prediction
loss, clip, and keep an average. Steps alternate between the two, so that both see the same machine. On a GPU it also
prints the peak memory. For the paper's size give a --base with the layout of Stable Diffusion 1.5 and --resolution 512.
"""

import argparse
import time
from collections.abc import Callable

import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler
from diffusers.training_utils import EMAModel

from benchmarks.augment import machine
from face0.io.folder import Folder
from face0.model.base_models import load_base
from face0.model.pipeline import Face0Pipeline
from face0.model.projection import FaceProjection, override
from face0.shards.decoding import Batch
from face0.shards.loader import FaceShards
from face0.shards.selection import Holdout
from face0.training.config import RunOptions, TrainConfig
from face0.training.throughput import matmul_rate, unet_flops
from face0.training.trainer import Trainer


def model(base: str, dim: int) -> Face0Pipeline:
    with Folder(base).local() as folder:
        parts = load_base(folder)
    projection = FaceProjection(embedding_dim=dim, context_dim=parts.text_encoder.config.hidden_size)
    return Face0Pipeline.from_base(parts, projection)


def plain(pipe: Face0Pipeline, config: TrainConfig, device: torch.device) -> Callable[[Batch], float]:
    """The example's loop, with the face's tokens put in place of the last text states."""
    accelerator = Accelerator(mixed_precision="bf16" if config.precision == "bf16" else "no", cpu=device.type == "cpu")
    pipe.to(device)
    for part in (pipe.vae, pipe.text_encoder):
        part.requires_grad_(False)
    pipe.unet.train()
    parameters = [*pipe.unet.parameters(), *pipe.face_projection.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)
    unet, projection, optimiser = accelerator.prepare(pipe.unet, pipe.face_projection, optimiser)
    average = EMAModel(parameters, decay=config.ema)
    scheduler = DDPMScheduler.from_config(pipe.scheduler.config)

    def step(batch: Batch) -> float:
        with accelerator.accumulate(unet):
            images = batch.images.to(device).float() / 127.5 - 1
            latents = pipe.vae.encode(images).latent_dist.sample() * pipe.vae.config.scaling_factor
            noise = torch.randn_like(latents)
            times = torch.randint(scheduler.config.num_train_timesteps, (len(latents),), device=device)
            noisy = scheduler.add_noise(latents, noise, times)
            with accelerator.autocast():
                states = pipe.encode_text(batch.captions)
                context = override(states, projection(batch.faces.to(device), batch.present.to(device)))
                predicted = unet(noisy, times, encoder_hidden_states=context).sample
            loss = torch.nn.functional.mse_loss(predicted.float(), noise)
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(parameters, config.clip)
            optimiser.step()
            optimiser.zero_grad()
        average.step(parameters)
        return loss.item()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True)
    parser.add_argument("--shards", required=True)
    parser.add_argument("--batch", type=int, default=32, help="(%(default)s)")
    parser.add_argument("--resolution", type=int, default=64, help="(%(default)s)")
    parser.add_argument("--steps", type=int, default=12, help="of each, after two to warm up (%(default)s)")
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16", help="(%(default)s)")
    args = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config = TrainConfig(batch=args.batch, resolution=args.resolution, precision=args.precision)
    shards = FaceShards([args.shards], holdout=Holdout(count=0))
    batches = shards.batches(batch=args.batch, resolution=args.resolution, slots=1, seed=0)
    trainer = Trainer(model(args.base, shards.dim), config, RunOptions(), device)
    print(f"{machine()}, {device}; batches of {args.batch} at {args.resolution} px, {args.precision}")
    steps = {"face0": trainer.take_step, "plain diffusers": plain(model(args.base, shards.dim), config, device)}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    memory = dict.fromkeys(steps, 0)
    for number in range(args.steps + 2):
        batch = next(batches)
        for name, step in steps.items():
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            started = time.perf_counter()
            step(batch)
            if number >= 2:
                seconds[name].append(time.perf_counter() - started)
            if device.type == "cuda":
                memory[name] = max(memory[name], torch.cuda.max_memory_allocated())
    rate = matmul_rate(device, torch.bfloat16 if args.precision == "bf16" else torch.float32)
    for name, all_seconds in seconds.items():
        median = sorted(all_seconds)[len(all_seconds) // 2]
        pace = args.batch / median
        line = f"{name}: {median:.3f} s a step, {pace:.1f} samples/s, mfu {3 * unet_flops(trainer) * pace / rate:.2f}"
        print(line + (f", {memory[name] / 2**30:.1f} GiB" if memory[name] else ""))


if __name__ == "__main__":
    main()
