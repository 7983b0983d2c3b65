"""Embedders by specification: ``vggface2``, ``casia``, ``onnx:URI``, ``PRESET:URI``, ``random:SEED``."""

from face0.detection.alignment import Margins
from face0.embedders.inception import PUBLISHED, InceptionConfig
from face0.embedders.interface import EmbedderConfig
from face0.embedders.normalisation import Triple
from face0.embedders.onnx import OnnxConfig
from face0.embedders.onnx_presets import PRESETS
from face0.errors import UsageError


def embedder_config(
    spec: str,
    *,
    weights: str | None = None,
    sha256: str | None = None,
    margins: Margins | None = None,
    precision: str = "auto",
    onnx_size: int | None = None,
    onnx_mean: Triple | None = None,
    onnx_std: Triple | None = None,
    onnx_channels: str | None = None,
    onnx_output: str | None = None,
) -> EmbedderConfig:
    """The embedder that a specification names.

    Args:
        spec: ``vggface2``, ``casia``, ``random:SEED``, ``onnx:URI``, or ``PRESET:URI`` with a name of
            ``face0.embedders.onnx_presets.PRESETS``.
        weights: of Inception-ResNet-V1, see ``InceptionConfig``.
        sha256: digest that the weights must have.
        margins: of Inception-ResNet-V1's crop.
        precision: of Inception-ResNet-V1.
        onnx_size: of a model in ONNX, as are those that follow; see ``OnnxConfig``.
        onnx_mean: likewise.
        onnx_std: likewise.
        onnx_channels: likewise.
        onnx_output: likewise.

    Raises:
        UsageError: no such kind.
    """
    kind, _, argument = spec.partition(":")
    margins = margins or Margins()
    if spec in PUBLISHED:
        return InceptionConfig(trained_on=spec, weights=weights, sha256=sha256, margins=margins, precision=precision)
    if kind == "random" and argument.isdecimal():
        return InceptionConfig(trained_on="random", seed=int(argument), margins=margins, precision=precision)
    if (kind == "onnx" or kind in PRESETS) and argument:
        return OnnxConfig(
            weights=argument,
            sha256=sha256,
            size=onnx_size,
            mean=onnx_mean,
            std=onnx_std,
            channels=onnx_channels,
            output=onnx_output,
            preset=kind if kind in PRESETS else None,
        )
    raise UsageError(
        f"no embedder {spec!r}: give vggface2, casia, onnx:URI or random:SEED; or, of the recognisers of these names, "
        f"{', '.join(f'{name}:URI' for name in PRESETS)}"
    )
