"""The options that say which embedder, and which faces it sees, alike in all jobs that load one."""

import argparse
from dataclasses import astuple

from face0 import embedders
from face0.detection.alignment import Margins
from face0.detection.detections import FaceFilter
from face0.detection.limits import P_NET_SIDE
from face0.embedders.interface import EmbedderConfig
from jobs.options.parser import Options
from jobs.options.values import at_least, between, numbers


def add_embedder_details(parser: argparse.ArgumentParser) -> None:
    """Adds what may be said of an embedder beside its ``--embedder SPEC``."""
    add = parser.add_argument_group("embedder").add_argument
    add("--weights", metavar="URI", help="of vggface2 or casia, if not in torch's cache")
    add("--weights-sha256", metavar="HEX", help="digest that the weights, or the ONNX file, must have")
    add("--margins", type=numbers(4), default=astuple(Margins()), metavar="L,T,R,B",
        help="pixels around the detected box, for Inception-ResNet (the paper's 10,33,10,15)")  # fmt: skip
    add("--precision", choices=("auto", "fp32"), default="auto",
        help="of Inception-ResNet: auto is bfloat16 where CPU or GPU multiply in it, over twice as fast; its vectors "
        "have a cosine over 0.999 to those of fp32 (%(default)s)")  # fmt: skip
    add("--onnx-size", type=at_least(1), metavar="PX", help="input side, if the model does not say")
    add("--onnx-mean", type=numbers(3), metavar="R,G,B",
        help="taken off an input in 0..1 (ArcFace: 0.5,0.5,0.5; without it what the model itself or its preset says, "
        "else ImageNet's 0.485,0.456,0.406)")  # fmt: skip
    add("--onnx-std", type=numbers(3), metavar="R,G,B",
        help="then divided by (ArcFace: 0.5,0.5,0.5; likewise, else ImageNet's 0.229,0.224,0.225)")  # fmt: skip
    add(
        "--onnx-channels", choices=("rgb", "bgr"), help="order of the input's colours (rgb, if the preset has no other)"
    )
    add("--onnx-output", metavar="NAME", help="output that is the vector, where several may be")


def add_face_filter(group: Options) -> None:
    """Adds which detections count as faces."""
    group.add_argument("--min-face", type=at_least(P_NET_SIDE, float), default=FaceFilter.min_face, metavar="PX",
        help=f"shorter side of the smallest face that counts, {P_NET_SIDE} or more (%(default)s)")  # fmt: skip
    group.add_argument("--min-score", type=between(0, 1, float), default=FaceFilter.min_score, metavar="S",
        help="the detector's score from which a face counts; it finds none under 0.7 (%(default)s)")  # fmt: skip


def embedder_of(args: argparse.Namespace) -> EmbedderConfig:
    """The embedder that the options name, its weights found and checked. Raises UsageError if they are not there."""
    return embedders.embedder_config(
        args.embedder,
        weights=args.weights,
        sha256=args.weights_sha256,
        margins=Margins(**dict(zip(("left", "top", "right", "bottom"), args.margins, strict=True))),
        precision=args.precision,
        onnx_size=args.onnx_size,
        onnx_mean=args.onnx_mean,
        onnx_std=args.onnx_std,
        onnx_channels=args.onnx_channels,
        onnx_output=args.onnx_output,
    ).resolve()


def embedder_named(spec: str) -> EmbedderConfig:
    """The embedder of a specification alone, its weights found and checked. Raises UsageError likewise."""
    return embedders.embedder_config(spec).resolve()
