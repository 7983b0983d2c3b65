"""The options of jobs that render."""

import argparse
from dataclasses import fields

import pipelines
from face0 import generation
from face0.embedders.interface import EmbedderConfig
from face0.embedders.onnx import OnnxConfig
from face0.errors import UsageError
from face0.generation.config import ROW_SECONDS, GenerateConfig, Unsafe
from face0.generation.image_files import FORMATS
from jobs.options.deny import add_deny, check_deny
from jobs.options.embedder import add_embedder_details, embedder_named, embedder_of
from jobs.options.values import at_least, between, failure_budget
from jobs.options.workers import add_workers


def add_rendering(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--model", required=True, metavar="DIR", help="output of face0 train")
    measures = parser.add_argument_group("measures")
    add = measures.add_argument
    add("--embedder", metavar="SPEC", help="the one of the model's shards, to see whether an image has the face asked "
        "for: vggface2, casia, onnx:URI, random:SEED (without it: not measured)")  # fmt: skip
    add("--judge", metavar="SPEC", help="an independent one, onnx:URI: compares with the bank's portraits")
    add("--clip", metavar="URI", help="folder of a CLIP model of transformers: alignment with text and face")
    add_embedder_details(parser)
    add_deny(parser.add_argument_group("people"), "whose faces are not to be rendered; takes --embedder")
    files = parser.add_argument_group("files")
    add = files.add_argument
    add("--image-format", choices=FORMATS, default=GenerateConfig.image_format, help="of the files (%(default)s)")
    add("--quality", type=between(1, 100), default=GenerateConfig.quality, help="of WebP and JPEG (%(default)s)")
    add("--unsafe", choices=[*Unsafe], default=GenerateConfig.unsafe, type=Unsafe,
        help="what becomes of an image that the base's safety checker flags (%(default)s)")  # fmt: skip
    running = parser.add_argument_group("running")
    add = running.add_argument
    add("--batch", type=at_least(1), default=8, metavar="N",
        help="images at once, halved if they do not fit into memory (%(default)s)")  # fmt: skip
    add("--model-precision", choices=("auto", "fp32"), default=GenerateConfig.precision,
        help="auto: bfloat16 on a GPU that multiplies in it (%(default)s)")  # fmt: skip
    add("--requests-per-task", type=at_least(1), default=64, metavar="N",
        help="images of a task, the unit that is resumed (%(default)s)")  # fmt: skip
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (%(default)s)")
    add(
        "--threads",
        type=at_least(1),
        metavar="N",
        help="of each worker process: the model's on a CPU, else those that measure and write beside it",
    )
    add_workers(running, f"{ROW_SECONDS:g}")
    add("--max-failures", type=failure_budget, default="1%", metavar="N|P%", help="failed rows allowed (%(default)s)")


def render_options(args: argparse.Namespace) -> "pipelines.RenderOptions":
    """What the options say. Raises UsageError if a model that measures is not there, or they do not go together."""
    check_deny(args)
    options = {field.name: getattr(args, field.name) for field in fields(pipelines.RenderOptions)}
    models = {
        "embedder": embedder_of(args) if args.embedder else None,
        "judge": _judge(args.judge) if args.judge else None,
        "clip": generation.check_clip(args.clip) if args.clip else None,
    }
    return pipelines.RenderOptions(**{**options, **models})


def _judge(spec: str) -> EmbedderConfig:
    config = embedder_named(spec) if ":" in spec else None
    if not isinstance(config, OnnxConfig):
        raise UsageError(f"--judge {spec}: give onnx:URI, the file of an independent face recogniser")
    return config
