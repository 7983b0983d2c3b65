"""Trains U-Net and face projection on face shards, from a Stable Diffusion base.

  face0 train --shards OUT --base BASE --output MODEL --steps 2000 --batch 64 --resolution 64 --learning-rate 3e-4
  torchrun --nproc-per-node 8 -m jobs.main train --shards OUT --base BASE --output MODEL

The defaults are the paper's. MODEL is always the last checkpoint, a diffusers folder; earlier ones and the state of the
training are under MODEL/checkpoints. The same command goes on where it stood, also with another number of processes;
SIGTERM and Ctrl-C save first. Rows are held out for evaluation, and so are all others that show the same people.

exit codes: 0 trained, or asked to end and saved; 1 the run broke off; 2 wrong usage or configuration
"""

import argparse
import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import distributed

from face0.errors import TrainingError, UsageError
from face0.io import storage
from face0.model.base_models import load_base
from face0.model.folder import fingerprint
from face0.model.pipeline import Face0Pipeline
from face0.model.projection import FaceProjection
from face0.runtime.precision import fast_dtype
from face0.runtime.versions import library_versions
from face0.shards.loader import FaceShards
from face0.shards.selection import Holdout, RowFilter
from face0.training.checkpoints import Checkpoints
from face0.training.config import Intervals, RunOptions, TrainConfig
from face0.training.latent_cache import InMemory, LatentCache, OnDisk
from face0.training.log import TrainingLog, wandb_run
from face0.training.loop import TrainingLoop, differences
from face0.training.trainer import Trainer, latent_shape
from jobs.options import at_least, between, pick_device

IN_MEMORY = ""  # in place of a folder
DEFAULT, LOOP = TrainConfig(), Intervals()


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = argparse.ArgumentParser(
        "face0 train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--shards", action="append", required=True, metavar="URI", help="output of face0 augment; may be repeated")
    add("--base", required=True, metavar="URI", help="Stable Diffusion 1.x or 2.x folder, or one of face0 init")
    add("--output", required=True, metavar="URI", help="folder for the model and its checkpoints")
    add("--steps", type=at_least(1), default=DEFAULT.steps, metavar="N", help="(%(default)s)")
    add("--batch", type=at_least(1), default=DEFAULT.batch, metavar="B", help="over all processes (%(default)s)")
    add("--resolution", type=at_least(8), default=DEFAULT.resolution, metavar="PX", help="(%(default)s)")
    add("--seed", type=int, default=DEFAULT.seed, help="of order, noise and first weights (%(default)s)")

    method = parser.add_argument_group("method")
    method.add_argument("--learning-rate", type=at_least(0, float), default=DEFAULT.learning_rate, help="(%(default)s)")
    method.add_argument("--warmup", type=at_least(0), default=DEFAULT.warmup, metavar="N", help="steps (%(default)s)")
    method.add_argument("--schedule", choices=("constant", "cosine"), default=DEFAULT.schedule, help="(%(default)s)")
    method.add_argument("--weight-decay", type=at_least(0, float), default=DEFAULT.weight_decay, help="(%(default)s)")
    method.add_argument(
        "--clip", type=at_least(0, float), default=DEFAULT.clip, help="gradient's norm; 0: off (%(default)s)"
    )
    method.add_argument("--ema", type=between(0, 1, float), default=DEFAULT.ema, help="(%(default)s)")
    method.add_argument("--min-snr", type=at_least(0, float), metavar="GAMMA", default=DEFAULT.min_snr,
        help="min-SNR weighting, usually 5 (%(default)s: off)")  # fmt: skip
    method.add_argument("--drop-face", type=between(0, 1, float), default=DEFAULT.drop_face, help="(%(default)s)")
    method.add_argument("--drop-text", type=between(0, 1, float), default=DEFAULT.drop_text, help="(%(default)s)")
    method.add_argument("--tokens", type=at_least(1), default=DEFAULT.tokens, help="of each face (%(default)s)")
    method.add_argument("--slots", type=at_least(1), default=DEFAULT.slots, help="faces of an image (%(default)s)")
    method.add_argument("--lora", type=at_least(0), default=DEFAULT.lora, metavar="RANK",
        help="train a LoRA of the U-Net instead of all of it (%(default)s: all)")  # fmt: skip

    rows = parser.add_argument_group("rows")
    rows.add_argument(
        "--min-face", type=at_least(0, float), default=0.0, metavar="PX", help="largest face (%(default)s)"
    )
    rows.add_argument(
        "--min-score", type=between(0, 1, float), default=0.0, metavar="S", help="its score (%(default)s)"
    )
    rows.add_argument("--min-caption", type=at_least(0), default=0, metavar="N", help="characters (%(default)s)")
    rows.add_argument("--holdout", type=at_least(0), default=Holdout.count, metavar="N", help="rows (%(default)s)")
    rows.add_argument("--holdout-similarity", type=between(-1, 1, float), default=Holdout.similarity, metavar="COS",
        help="rows more alike than this to a held-out one are not trained on (%(default)s)")  # fmt: skip

    running = parser.add_argument_group("running")
    running.add_argument("--device", default="auto", help="auto, cpu or cuda (%(default)s)")
    running.add_argument("--precision", choices=("auto", "bf16", "fp32"), default="auto",
        help="arithmetic of the U-Net; auto is bf16 where the machine multiplies in it (%(default)s)")  # fmt: skip
    running.add_argument("--threads", type=at_least(1), default=2, help="that decode images (%(default)s)")
    running.add_argument("--accumulate", type=at_least(1), default=1, help="parts of a process's batch (%(default)s)")
    running.add_argument("--gradient-checkpointing", action="store_true", help="less memory, more time")
    running.add_argument("--compile", action="store_true", help="torch.compile; needs a C++ compiler")
    running.add_argument("--cache-latents", nargs="?", const=IN_MEMORY, metavar="DIR",
        help="keep every image's latents: in memory, or in a local folder, for later trainings too")  # fmt: skip
    running.add_argument("--wandb", metavar="PROJECT", help="log to Weights & Biases too; needs the package wandb")
    running.add_argument("--log-every", type=at_least(0), default=LOOP.log, metavar="N", help="(%(default)s)")
    running.add_argument("--evaluate-every", type=at_least(0), default=LOOP.evaluate, metavar="N", help="(%(default)s)")
    running.add_argument("--save-every", type=at_least(0), default=LOOP.save, metavar="N", help="(%(default)s)")
    running.add_argument("--keep", type=at_least(1), default=LOOP.keep, metavar="N",
        help="newest checkpoints that stay, beside the best (%(default)s)")  # fmt: skip
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs the job; returns its exit code."""
    args = arguments().parse_args(argv)
    rank, world, device = _processes(args.device)
    fast = fast_dtype(device.type) == torch.bfloat16
    precision = ("bf16" if fast else "fp32") if args.precision == "auto" else args.precision
    config = TrainConfig(
        **{name: getattr(args, name) for name in asdict(DEFAULT) if name != "precision"}, precision=precision
    )
    shards = FaceShards(
        args.shards,
        rows=RowFilter(min_face=args.min_face, min_score=args.min_score, min_caption=args.min_caption),
        holdout=Holdout(count=args.holdout, similarity=args.holdout_similarity),
    )
    checkpoints = Checkpoints(args.output)
    facts = {
        "base": storage.absolute(args.base),
        "shards": [storage.absolute(uri) for uri in args.shards],
        "fingerprint": shards.fingerprint,
        "embedder": dict(shards.embedder),
        "holdout": asdict(Holdout(count=args.holdout, similarity=args.holdout_similarity)),
        "rows": {"min_face": args.min_face, "min_score": args.min_score, "min_caption": args.min_caption},
        "library_versions": library_versions(),
    }
    if rank == 0:
        print(shards.summary)
    try:
        trainer, facts["base_fingerprint"] = _trainer(args, config, shards, device, world)
        _resume(trainer, args.output, checkpoints, {**facts, "config": asdict(config)}, rank)
        if trainer.step >= config.steps:
            print(f"{args.output} is trained to step {trainer.step:,} already: give more --steps to go on")
            return 0
        run = TrainingLoop(
            trainer,
            shards,
            checkpoints,
            Intervals(log=args.log_every, evaluate=args.evaluate_every, save=args.save_every, keep=args.keep),
            _log(args, trainer.step + 1, {**asdict(config), **facts}) if rank == 0 else None,
            facts,
            args.threads,
            rank,
            world,
        )
        ended = run()
    except TrainingError as error:
        print(f"face0 train: {error}; earlier checkpoints are whole, and the same command goes on", file=sys.stderr)
        return 1
    finally:
        if world > 1:
            distributed.destroy_process_group()
    if rank == 0:
        print(f"{args.output}: step {trainer.step:,}" + ("" if ended else "; the same command goes on"))
    return 0


def _log(args: argparse.Namespace, first: int, facts: Mapping[str, Any]) -> TrainingLog:
    return TrainingLog(args.output, args.steps, first, wandb_run(args.wandb, facts) if args.wandb else None)


def _processes(device: str) -> tuple[int, int, torch.device]:
    """Rank, number of processes, and this one's device, as torchrun says."""
    name = pick_device(device)
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if name == "cuda":
        name = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
        torch.cuda.set_device(name)
    if world > 1:
        # gloo for small flags on the CPU, nccl for gradients on GPUs
        distributed.init_process_group("cpu:gloo,cuda:nccl" if "cuda" in name else "gloo", timeout=timedelta(hours=1))
    return rank, world, torch.device(name)


def _trainer(
    args: argparse.Namespace, config: TrainConfig, shards: FaceShards, device: torch.device, world: int
) -> tuple[Trainer, str]:
    """The model at its start, and the fingerprint of its base."""
    if config.tokens * config.slots > 76:
        raise UsageError(
            f"--tokens {config.tokens} x --slots {config.slots}: at most 76 of the 77 positions are faces'"
        )
    with storage.local_folder(args.base, without=("checkpoints", "logs")) as folder:
        base, base_fingerprint, vae = load_base(folder), fingerprint(folder), fingerprint(folder, ["vae"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        projection = FaceProjection(
            embedding_dim=shards.dim,
            context_dim=base.text_encoder.config.hidden_size,
            tokens=config.tokens,
            slots=config.slots,
        )
        pipe = Face0Pipeline.from_base(base, projection)
        if config.resolution % pipe.multiple:
            raise UsageError(f"--resolution {config.resolution}: this base needs a multiple of {pipe.multiple}")
        running = RunOptions(
            accumulate=args.accumulate,
            gradient_checkpointing=args.gradient_checkpointing,
            compile=args.compile,
        )
        cache = _latent_cache(args.cache_latents, pipe, shards, config.resolution, vae)
        return Trainer(pipe, config, running, device, world, cache), base_fingerprint


def _latent_cache(
    where: str | None, pipe: Face0Pipeline, shards: FaceShards, resolution: int, vae: str
) -> LatentCache | None:
    """See ``--cache-latents``; None: without."""
    if where is None:
        return None
    if where == IN_MEMORY:
        return InMemory()
    if "://" in where:
        raise UsageError(f"--cache-latents {where}: give a folder on a local disk, which is read at every step")
    channels, height, width = latent_shape(pipe, resolution)
    name = hashlib.sha256(f"{vae} {shards.contents} {resolution}".encode()).hexdigest()[:16]
    return OnDisk(Path(where), name, shards.total, (2 * channels, height, width))


def _resume(trainer: Trainer, output: str, checkpoints: Checkpoints, facts: Mapping[str, Any], rank: int) -> None:
    """Loads the newest checkpoint, if there is one and it is of this training. Raises UsageError."""
    records = checkpoints.records()
    if not records:
        fs, path = storage.filesystem(output)
        others = {PurePosixPath(found).name for found in fs.ls(path, detail=False)} if fs.exists(path) else set()
        if others := others - {"checkpoints", "logs", "samples", storage.PARTIAL_DIR}:
            raise UsageError(
                f"--output {output} holds other things ({', '.join(sorted(others)[:5])}): give a new folder"
            )
        return
    step = max(records)
    with checkpoints.fetched(step) as folder:
        if changed := differences(checkpoints.lineage(folder), facts):
            raise UsageError(
                f"--output holds a training with another configuration ({'; '.join(changed)}): "
                "give another --output, or the same options"
            )
        trainer.load(folder, step)
    if rank == 0:
        checkpoints.publish(step)
        print(f"going on at step {step:,}")
