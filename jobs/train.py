"""Trains U-Net and face projection on face shards, from a Stable Diffusion base.

  face0 train --shards OUT --base BASE --output MODEL --steps 2000 --batch 64 --resolution 64 --learning-rate 3e-4
  torchrun --nproc-per-node 8 -m jobs.main train --shards OUT --base BASE --output MODEL

The defaults are the paper's. MODEL is always the last checkpoint, a diffusers folder; earlier ones and the state of the
training are under MODEL/checkpoints. The same command goes on where it stood, also with another number of processes;
SIGTERM and Ctrl-C save first. Rows are held out for evaluation, and so are all others that show the same people.

exit codes: 0 trained, or asked to end and saved; 1 the run broke off; 2 wrong usage or configuration
"""

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, fields
from typing import Any

from face0 import reports, runtime, shards, tasks, training
from face0.errors import TrainingError
from face0.io import storage
from face0.io.folder import Folder
from face0.io.secrets import public
from face0.shards.selection import Holdout, RowFilter
from face0.training.config import IN_MEMORY, Intervals, RunOptions, TrainConfig
from jobs.options.parser import Options, job_parser
from jobs.options.shards import SHARDS, add_embedder_from
from jobs.options.values import at_least, between


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = job_parser("train", __doc__)
    add = parser.add_argument
    add("--shards", action="append", required=True, metavar="URI", help=f"{SHARDS}; may be repeated")
    add("--base", required=True, metavar="URI", help="Stable Diffusion 1.x or 2.x folder, or one of face0 init")
    add("--output", required=True, metavar="URI", help="folder for the model and its checkpoints")
    add("--steps", type=at_least(1), default=TrainConfig.steps, metavar="N", help="of the optimiser (%(default)s)")
    add("--batch", type=at_least(1), default=TrainConfig.batch, metavar="B",
        help="samples of a step, over all processes (%(default)s)")  # fmt: skip
    add("--resolution", type=at_least(8), default=TrainConfig.resolution, metavar="PX",
        help="side to which images are resized (%(default)s)")  # fmt: skip
    add("--seed", type=int, default=TrainConfig.seed, help="of order, noise and first weights (%(default)s)")
    _add_method(parser.add_argument_group("method"))
    _add_rows(parser.add_argument_group("rows"))
    _add_running(parser.add_argument_group("running"))
    return parser


def _add_method(group: Options) -> None:
    add = group.add_argument
    add("--learning-rate", type=at_least(0, float), default=TrainConfig.learning_rate, metavar="R",
        help="of AdamW (%(default)s)")  # fmt: skip
    add("--warmup", type=at_least(0), default=TrainConfig.warmup, metavar="N",
        help="steps in which the learning rate rises from 0 (%(default)s)")  # fmt: skip
    add("--schedule", choices=("constant", "cosine"), default=TrainConfig.schedule,
        help="of the learning rate after the warm-up; cosine falls to 0 at the last step (%(default)s)")  # fmt: skip
    add("--weight-decay", type=at_least(0, float), default=TrainConfig.weight_decay, metavar="D",
        help="of AdamW (%(default)s)")  # fmt: skip
    add("--clip", type=at_least(0, float), default=TrainConfig.clip, metavar="NORM",
        help="largest norm of the gradient; 0: no limit (%(default)s)")  # fmt: skip
    add("--ema", type=between(0, 1, float), default=TrainConfig.ema, metavar="DECAY",
        help="of the average of the weights that is saved as the model (%(default)s)")  # fmt: skip
    add("--min-snr", type=at_least(0, float), default=TrainConfig.min_snr, metavar="GAMMA",
        help="min-SNR weighting, usually 5 (%(default)s: off)")  # fmt: skip
    add("--drop-face", type=between(0, 1, float), default=TrainConfig.drop_face, metavar="SHARE",
        help="of the samples that are trained without their face (%(default)s)")  # fmt: skip
    add("--drop-text", type=between(0, 1, float), default=TrainConfig.drop_text, metavar="SHARE",
        help="of the samples that are trained without their caption (%(default)s)")  # fmt: skip
    add("--tokens", type=at_least(1), default=TrainConfig.tokens, metavar="N",
        help="context tokens of each face (%(default)s)")  # fmt: skip
    add("--slots", type=at_least(1), default=TrainConfig.slots, metavar="N",
        help="faces of an image, the largest (%(default)s)")  # fmt: skip
    add("--lora", type=at_least(0), default=TrainConfig.lora, metavar="RANK",
        help="train a LoRA of the U-Net instead of all of it (%(default)s: all)")  # fmt: skip


def _add_rows(group: Options) -> None:
    add_embedder_from(group)
    add = group.add_argument
    add("--min-face", type=at_least(0, float), default=0.0, metavar="PX",
        help="shorter side that the largest face must have (%(default)s)")  # fmt: skip
    add("--min-score", type=between(0, 1, float), default=0.0, metavar="S",
        help="the detector's score that it must have (%(default)s)")  # fmt: skip
    add("--min-caption", type=at_least(0), default=0, metavar="N",
        help="characters that the caption must have (%(default)s)")  # fmt: skip
    add("--holdout", type=at_least(0), default=Holdout.count, metavar="N",
        help="rows that are kept for evaluation (%(default)s)")  # fmt: skip
    add("--holdout-similarity", type=between(-1, 1, float), default=Holdout.similarity, metavar="COS",
        help="rows more alike than this to a held-out one are not trained on (%(default)s)")  # fmt: skip


def _add_running(group: Options) -> None:
    add = group.add_argument
    add("--device", default="auto", help="auto, cpu or cuda (%(default)s)")
    add("--precision", choices=("auto", "bf16", "fp32"), default="auto",
        help="arithmetic of the U-Net; auto is bf16 where the machine multiplies in it (%(default)s)")  # fmt: skip
    add("--threads", type=at_least(1), default=2, metavar="N", help="that decode images (%(default)s)")
    add("--accumulate", type=at_least(1), default=1, metavar="N",
        help="parts in which a process takes its share of a batch (%(default)s)")  # fmt: skip
    add("--gradient-checkpointing", action="store_true", help="less memory, more time")
    add("--compile", action="store_true", help="torch.compile; needs a C++ compiler")
    add("--cache-latents", nargs="?", const=IN_MEMORY, metavar="DIR",
        help="keep every image's latents: in memory, or in a local folder, for later trainings too")  # fmt: skip
    add("--wandb", metavar="PROJECT", help="log to Weights & Biases too; needs the package wandb")
    add("--log-every", type=at_least(0), default=Intervals.log, metavar="N",
        help="steps from one line of figures to the next (%(default)s; 0: none)")  # fmt: skip
    add("--evaluate-every", type=at_least(0), default=Intervals.evaluate, metavar="N",
        help="steps from one held-out loss and grid of samples to the next (%(default)s; 0: never)")  # fmt: skip
    add("--save-every", type=at_least(0), default=Intervals.save, metavar="N",
        help="steps from one checkpoint to the next (%(default)s; 0: at the end only)")  # fmt: skip
    add("--keep", type=at_least(1), default=Intervals.keep, metavar="N",
        help="newest checkpoints that stay, beside the best (%(default)s)")  # fmt: skip


def main(argv: Sequence[str]) -> int:
    """Runs the job; returns its exit code."""
    args = arguments().parse_args(argv)
    process = runtime.join_processes(args.device)
    try:
        with _lease(args.output) if process.is_first else nullcontext():
            return _train(args, process)
    except TrainingError as error:
        print(f"face0 train: {error}; earlier checkpoints are whole, and the same command goes on", file=sys.stderr)
        return 1
    finally:
        process.leave()


def _train(args: argparse.Namespace, process: "runtime.Process") -> int:
    config = _config(args, process)
    rows = RowFilter(min_face=args.min_face, min_score=args.min_score, min_caption=args.min_caption)
    holdout = Holdout(count=args.holdout, similarity=args.holdout_similarity)
    data = shards.FaceShards(args.shards, rows=rows, holdout=holdout, embedder_from=args.embedder_from)
    options = RunOptions(
        accumulate=args.accumulate, gradient_checkpointing=args.gradient_checkpointing, compile=args.compile
    )
    facts = {**_facts(args, data), "rows": asdict(rows), "holdout": asdict(holdout)}
    if process.is_first:
        print(data.summary)
    trainer, base_fingerprint = training.start_trainer(args.base, config, options, data, process, args.cache_latents)
    facts |= {"base_fingerprint": base_fingerprint, "latents": trainer.encoder.kept_in}
    checkpoints = training.Checkpoints(args.output)
    if training.resume(trainer, args.output, checkpoints, {**facts, "config": asdict(config)}) and process.is_first:
        checkpoints.publish(trainer.step)
        print(f"going on at step {trainer.step:,}")
    if trainer.step >= config.steps:
        if process.is_first:
            print(f"{args.output} is trained to step {trainer.step:,} already: give more --steps to go on")
            reports.write_training(args.output)
        return 0
    log = _log(args, trainer.step + 1, {**asdict(config), **facts}) if process.is_first else None
    intervals = Intervals(log=args.log_every, evaluate=args.evaluate_every, save=args.save_every, keep=args.keep)
    loop = training.TrainingLoop(
        trainer, data, checkpoints, intervals, log, facts, args.threads, process.rank, process.world
    )
    try:
        ended = loop()
    except TrainingError:
        if process.is_first:
            with suppress(OSError):  # of the same disk, perhaps
                reports.write_training(args.output)
        raise
    if process.is_first:
        print(f"{args.output}: step {trainer.step:,}" + ("" if ended else "; the same command goes on"))
        print(f"look at {reports.write_training(args.output)}")
    return 0


def _lease(output: str) -> "tasks.Lease":
    """Keeps a second training out. One that lost the output to another ends, as if it had been asked to."""
    return tasks.Lease(Folder(storage.absolute(output)), "train", lost=lambda: os.kill(os.getpid(), signal.SIGTERM))


def _config(args: argparse.Namespace, process: "runtime.Process") -> TrainConfig:
    """What decides the weights that come out."""
    precision = runtime.precision_name(process.device.type) if args.precision == "auto" else args.precision
    asked = {field.name: getattr(args, field.name) for field in fields(TrainConfig) if field.name != "precision"}
    return TrainConfig(**asked, precision=precision)


def _facts(args: argparse.Namespace, data: "shards.FaceShards") -> dict[str, Any]:
    """What the lineage says of base and shards."""
    return {
        "base": public(storage.absolute(args.base)),
        "shards": data.uris,
        "fingerprint": data.fingerprint,
        "embedder": dict(data.embedder),
        "versions": runtime.library_versions(),
    }


def _log(args: argparse.Namespace, first: int, facts: Mapping[str, Any]) -> "training.TrainingLog":
    wandb = training.wandb_run(args.wandb, facts) if args.wandb else None
    return training.TrainingLog(args.output, args.steps, first, wandb)
