"""Embedders by specification: ``vggface2``, ``casia``, ``onnx:URI``, ``random:SEED``."""

from face0.detection.alignment import Margins
from face0.embedders.inception import PUBLISHED, InceptionConfig
from face0.embedders.interface import EmbedderConfig
from face0.embedders.normalisation import IMAGENET_MEAN, IMAGENET_STD
from face0.embedders.onnx import OnnxConfig
from face0.errors import UsageError

Triple = tuple[float, float, float]


def embedder_config(
    spec: str,
    *,
    weights: str | None = None,
    sha256: str | None = None,
    margins: Margins | None = None,
    precision: str = "auto",
    onnx_size: int | None = None,
    onnx_mean: Triple = IMAGENET_MEAN,
    onnx_std: Triple = IMAGENET_STD,
) -> EmbedderConfig:
    """The embedder that a specification names: ``vggface2``, ``casia``, ``random:SEED`` or ``onnx:URI``.

    Raises:
        UsageError: no such kind.
    """
    kind, _, argument = spec.partition(":")
    margins = margins or Margins()
    if spec in PUBLISHED:
        return InceptionConfig(trained_on=spec, weights=weights, sha256=sha256, margins=margins, precision=precision)
    if kind == "random" and argument.isdecimal():
        return InceptionConfig(trained_on="random", seed=int(argument), margins=margins, precision=precision)
    if kind == "onnx" and argument:
        return OnnxConfig(weights=argument, sha256=sha256, size=onnx_size, mean=onnx_mean, std=onnx_std)
    raise UsageError(f"no embedder {spec!r}: give vggface2, casia, onnx:URI or random:SEED")
