"""`face0 generate` beside the bare denoising loop and diffusers' pipeline called for each request.

  python -m benchmarks.generate --model MODEL

One task of requests (prompts x faces x seeds) three ways, at equal steps and guidance, in turns on the same machine:
(a) the bare loop: U-Net, guidance, scheduler, VAE, at the same batch, prompts and faces encoded beforehand;
(b) the worker of the job: the same, and measured, encoded, written and committed;
(c) StableDiffusionPipeline with the same parts, a call for each request (no face, the same two U-Net evaluations).
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import diffusers
import numpy as np
import torch

from benchmarks.augment import machine
from face0.generation.config import GenerateConfig
from face0.generation.generator import Generator
from face0.generation.manifest import cross
from face0.generation.plan import RequestPlan, plan_requests
from face0.generation.requests import Request, make_request
from face0.model.folder import inspect_model
from face0.model.pipeline import as_images, noise
from face0.model.samplers import make_scheduler
from face0.tasks.output_folder import OutputFolder
from face0.tasks.task import TaskRun


def requests_of(args: argparse.Namespace) -> list[Request]:
    model = inspect_model(args.model).facts
    rng = np.random.default_rng(0)
    faces = [rng.normal(size=model.dim).astype(np.float32) for _ in range(4)]
    prompts = ["a photo of a man", "a painting of a woman", "a statue of a king", "a stock photo of a doctor"]
    settings = {"steps": args.steps, "width": args.size, "height": args.size}
    table = cross(prompts, [str(i) for i in range(4)], range(args.seeds), settings)
    return [make_request(row, faces[int(row["face_id"])], model) for row in table.to_pylist()]


@dataclass
class Ways:
    """The three ways, over the same requests with one loaded model."""

    generator: Generator
    plan: RequestPlan
    requests: list[Request]
    batch: int

    @torch.inference_mode()
    def bare(self) -> None:
        """(a)"""
        pipe = self.generator._render.pipe
        first = self.requests[0]
        shape = (self.batch, pipe.unet.config.in_channels, first.height // pipe.shrink, first.width // pipe.shrink)
        contexts = [self.generator._render._contexts(each) for each in self.requests]
        for i in range(0, len(self.requests), self.batch):
            some = {b: torch.cat([one[b] for one in contexts[i : i + self.batch]]) for b in contexts[0]}
            generators = [torch.Generator().manual_seed(each.seed) for each in self.requests[i : i + self.batch]]
            start = noise(shape, generators, pipe.unet.device, pipe.unet.dtype)
            scheduler = make_scheduler("ddim", pipe.scheduler.config)
            as_images(pipe.decode(pipe.denoise(start, some, first.guidance, first.steps, scheduler)))

    def job(self) -> None:
        """(b)"""
        with tempfile.TemporaryDirectory() as folder:
            self.plan.prepare(OutputFolder(folder))
            for task in self.plan.tasks:
                self.generator.run(TaskRun(task=task), OutputFolder(folder))

    def diffusers(self, count: int) -> None:
        """(c), of the first few requests."""
        pipe = self.generator._render.pipe
        parts = {name: getattr(pipe, name) for name in ("vae", "text_encoder", "tokenizer", "unet", "scheduler")}
        plain = diffusers.StableDiffusionPipeline(
            **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
        plain.set_progress_bar_config(disable=True)
        for request in self.requests[:count]:
            plain(
                request.prompt, guidance_scale=request.w, num_inference_steps=request.steps, height=request.height,
                width=request.width, generator=torch.Generator().manual_seed(request.seed),
            )  # fmt: skip


def pace(way: Callable[[], None], images: int) -> float:
    started = time.perf_counter()
    way()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return images / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="output of face0 train")
    parser.add_argument("--batch", type=int, default=8, help="(%(default)s)")
    parser.add_argument("--seeds", type=int, default=4, help="of 4 prompts x 4 faces (%(default)s)")
    parser.add_argument("--steps", type=int, default=50, help="(%(default)s)")
    parser.add_argument("--size", type=int, default=0, help="pixels (the model's own)")
    parser.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--singles", type=int, default=16, help="requests of (c) in a round (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of the worker, beside the model (%(default)s)")
    args = parser.parse_args()
    print(machine())
    model = inspect_model(args.model)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    config = GenerateConfig(model=model.uri, fingerprint=model.facts.fingerprint)
    requests = requests_of(args)
    with tempfile.TemporaryDirectory() as folder:
        plan = plan_requests(OutputFolder(folder), requests, {}, size=len(requests))
        ways = Ways(Generator(config, device, args.batch, args.threads), plan, requests, args.batch)
        paces: dict[str, list[float]] = {"bare loop": [], "face0 generate": [], "StableDiffusionPipeline": []}
        ways.bare()  # a first run to warm up
        for _ in range(args.rounds):
            paces["bare loop"].append(pace(ways.bare, len(requests)))
            paces["face0 generate"].append(pace(ways.job, len(requests)))
            paces["StableDiffusionPipeline"].append(pace(lambda: ways.diffusers(args.singles), args.singles))
    for name, each in paces.items():
        ratio = statistics.median(a / b for a, b in zip(each, paces["bare loop"], strict=True))
        print(f"{name:<26}{statistics.median(each):8.2f} images/s   {ratio:.3f} x the bare loop")


if __name__ == "__main__":
    main()
