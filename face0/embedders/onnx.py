"""Identity models in ONNX (ArcFace, MobileFaceNet, ...): five-point aligned faces in, one vector each out."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from face0.detection.alignment import align
from face0.detection.detections import Detections
from face0.embedders.normalisation import (
    BYTES_STD,
    IMAGENET_MEAN,
    IMAGENET_STD,
    NO_MEAN,
    UNIT_STD,
    Triple,
    normalised,
)
from face0.embedders.onnx_graph import InputRange
from face0.embedders.onnx_model import OnnxModel, read_model
from face0.embedders.onnx_presets import PRESETS, OnnxPreset, preset_of_file
from face0.errors import UsageError
from face0.io.secrets import public
from face0.io.storage import absolute
from face0.statistics.vectors import unit

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class OnnxConfig:
    """Which model, and what its input wants: ``(value / 255 - mean) / std``.

    What is None is found out by ``resolve``: from the model where it says, or else from the preset.

    Attributes:
        weights: URI of the .onnx file.
        sha256: digest that it must have, with that of the files beside it that hold its weights; None: any.
        size: pixels a side of the input.
        mean: of red, green and blue, 0..1.
        std: of red, green and blue.
        channels: "rgb" or "bgr".
        output: name of the output that is the vector; None: the first, after ``resolve``.
        preset: a name of ``face0.embedders.onnx_presets.PRESETS``.
    """

    weights: str
    sha256: str | None = None
    size: int | None = None
    mean: Triple | None = None
    std: Triple | None = None
    channels: str | None = None
    output: str | None = None
    preset: str | None = None

    def resolve(self) -> "OnnxConfig":
        """Gives the model one face and two, so that a job that cannot use it ends before a worker starts.

        Raises:
            UsageError: it is not there, or does not give a vector of each face.
        """
        config = self._known_by_its_file()
        file = read_model(config.weights, config.sha256)
        model = OnnxModel(config.weights, file, config.size or (config._facts.size if config._facts else None))
        config = replace(config._with_normalisation(model), weights=absolute(config.weights), sha256=file.digest)
        config = replace(config, size=model.size, channels="bgr" if config._is_bgr else None)
        model.settle(config.prepared, config.output)
        return replace(config, output=None if model.output == model.first else model.output)

    def load(self, device: str) -> "OnnxEmbedder":  # noqa: ARG002 - onnxruntime picks its own devices
        """A session on the best device that the installed onnxruntime has."""
        model = OnnxModel(self.weights, read_model(self.weights, self.sha256), self.size)
        model.settle(self.prepared, self.output or model.first)
        return OnnxEmbedder(model, self)

    def load_identity(self, device: str) -> Callable[[np.ndarray], np.ndarray]:  # noqa: ARG002
        """Vectors to unit length, which takes no model: these are trained for identity."""
        return _identity

    def metadata(self) -> Mapping[str, Any]:
        """The embedder as a face shard names it."""
        numbers = "; ".join(",".join(f"{value:g}" for value in values) for values in (self.mean, self.std) if values)
        name = f"onnx:{public(self.weights).rstrip('/').rsplit('/', 1)[-1]}"
        said = {"channels": self.channels, "output": self.output, "preset": self.preset}
        return {
            "name": name,
            "sha256": self.sha256 or "",
            "crop": f"five points {self.size}",
            "normalisation": numbers,
            **{key: value for key, value in said.items() if value},  # which files made before there were such lack
        }

    def prepared(self, crops: np.ndarray) -> np.ndarray:
        """Crops, uint8 RGB [n, size, size, 3], as the model is given them. Takes a configuration of ``resolve``."""
        assert self.mean is not None, "resolve() first"
        assert self.std is not None, "resolve() first"
        values = normalised(crops, self.mean, self.std)
        return values[..., ::-1] if self.channels == "bgr" else values

    @property
    def _facts(self) -> OnnxPreset | None:
        return PRESETS[self.preset] if self.preset else None

    @property
    def _is_bgr(self) -> bool:
        return self.channels == "bgr" if self.channels else bool(self._facts and self._facts.bgr)

    def _known_by_its_file(self) -> "OnnxConfig":
        """With the preset of a file that bears its published name, if nothing else is said."""
        name = public(self.weights).rsplit("/", 1)[-1]
        if self.preset or self.mean or self.std or self.channels or (preset := preset_of_file(name)) is None:
            return self
        _log.info("%s is fed as %s:URI says, whose published name it bears", name, preset)
        return replace(self, preset=preset)

    def _with_normalisation(self, model: OnnxModel) -> "OnnxConfig":
        """With mean and std: as they are given, else as the model itself tells, else of the preset, else ImageNet's."""
        facts = self._facts
        if model.takes_bytes and (self.mean or self.std):
            raise UsageError(f"{self.weights} takes bytes, 0..255: leave out --onnx-mean and --onnx-std")
        if self.mean or self.std:
            mean = self.mean or (facts.mean if facts else None)
            std = self.std or (facts.std if facts else None)
            if mean is None or std is None:
                raise UsageError("--onnx-mean and --onnx-std go together: give both, or neither")
            return replace(self, mean=mean, std=std)
        if model.takes_bytes or model.range is InputRange.BYTES:
            if not model.takes_bytes:
                _log.info("%s normalises its input itself: it is given 0..255 (--onnx-mean, --onnx-std)", self.weights)
            return replace(self, mean=NO_MEAN, std=BYTES_STD)
        if model.range is InputRange.UNIT:
            _log.info("%s normalises its input itself: it is given 0..1 (--onnx-mean, --onnx-std)", self.weights)
            return replace(self, mean=NO_MEAN, std=UNIT_STD)
        if facts:
            return replace(self, mean=facts.mean, std=facts.std)
        _log.info(
            "%s is given colours by ImageNet's mean and std, for nothing says how it was trained: say so by "
            "--onnx-mean and --onnx-std, or as %s:URI",
            self.weights,
            ":URI, ".join(PRESETS),
        )
        return replace(self, mean=IMAGENET_MEAN, std=IMAGENET_STD)


class OnnxEmbedder:
    """Faces to the model's output."""

    def __init__(self, model: OnnxModel, config: OnnxConfig) -> None:
        self._model, self._config = model, config
        self.dim = model.dim

    def embed(self, images: Sequence[np.ndarray], faces: Sequence[Detections]) -> list[np.ndarray]:
        """See ``Embedder.embed``."""
        if not images:
            return []
        crops = [
            align(image, detections.landmarks, self._model.size)
            for image, detections in zip(images, faces, strict=True)
        ]
        vectors = self._model(self._config.prepared(np.concatenate(crops)))
        return np.split(vectors, np.cumsum([len(detections) for detections in faces])[:-1])

    def identity(self, vectors: np.ndarray) -> np.ndarray:
        """The vectors themselves, at unit length: these models are trained for identity."""
        return _identity(vectors)


def _identity(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(unit(np.asarray(vectors, np.float32)), np.float32)
