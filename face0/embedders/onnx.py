"""Identity models in ONNX (ArcFace, MobileFaceNet, ...): five-point aligned faces in, one vector each out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnxruntime

from face0.detection.alignment import align
from face0.detection.detections import Detections
from face0.embedders.interface import in_batches
from face0.embedders.normalisation import IMAGENET_MEAN, IMAGENET_STD
from face0.embedders.weights import read_weights
from face0.errors import UsageError
from face0.io.secrets import public
from face0.io.storage import absolute
from face0.statistics.vectors import unit


@dataclass(frozen=True, kw_only=True)
class OnnxConfig:
    """Which model, and what its input wants: ``(rgb / 255 - mean) / std``.

    Attributes:
        weights: URI of the .onnx file.
        sha256: digest that it must have; None: any.
        size: pixels a side of the input; None: what the model says.
        mean: of red, green and blue, 0..1.
        std: of red, green and blue.
    """

    weights: str
    sha256: str | None = None
    size: int | None = None
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def resolve(self) -> "OnnxConfig":
        """Opens the model once, so that a job that lacks it ends before a worker starts. Raises UsageError."""
        data, digest = self._read()
        session = self._session(data)
        (name, shape) = session.get_inputs()[0].name, session.get_inputs()[0].shape
        size = self.size or shape[-1]
        if len(shape) != 4 or not isinstance(size, int):
            raise UsageError(f"{self.weights} takes {name} {shape}, not [N, 3, size, size]: give --onnx-size")
        return replace(self, weights=absolute(self.weights), sha256=digest, size=size)

    def load(self, device: str) -> "OnnxEmbedder":  # noqa: ARG002 - onnxruntime picks its own devices
        """A session on the best device that the installed onnxruntime has."""
        assert self.size is not None, "resolve() first"
        return OnnxEmbedder(self._session(self._read()[0]), self)

    def load_identity(self, device: str) -> Callable[[np.ndarray], np.ndarray]:  # noqa: ARG002
        """Vectors to unit length, which takes no model: these are trained for identity."""
        return _identity

    def metadata(self) -> Mapping[str, Any]:
        """The embedder as a face shard names it."""
        numbers = "; ".join(",".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        name = f"onnx:{public(self.weights).rstrip('/').rsplit('/', 1)[-1]}"
        return {"name": name, "sha256": self.sha256 or "", "crop": f"five points {self.size}", "normalisation": numbers}

    def _read(self) -> tuple[bytes, str]:
        return read_weights(self.weights, self.sha256, "name an .onnx file that is there, as onnx:URI")

    def _session(self, data: bytes) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # several batches run beside each other
        options.log_severity_level = 3
        try:
            return onnxruntime.InferenceSession(data, options, providers=onnxruntime.get_available_providers())
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise UsageError(f"{self.weights} is not a model that onnxruntime reads: {error}") from error


class OnnxEmbedder:
    """Faces to the model's output."""

    def __init__(self, session: onnxruntime.InferenceSession, config: OnnxConfig) -> None:
        self._session, self._config = session, config
        self._input = session.get_inputs()[0].name
        self._size = config.size or 0
        self.dim = self._forward(np.zeros((1, self._size, self._size, 3), np.uint8)).shape[1]

    def embed(self, images: Sequence[np.ndarray], faces: Sequence[Detections]) -> list[np.ndarray]:
        """See ``Embedder.embed``."""
        if not images:
            return []
        crops = [
            align(image, detections.landmarks, self._size) for image, detections in zip(images, faces, strict=True)
        ]
        vectors = in_batches(self._forward, np.concatenate(crops), self.dim)
        return np.split(vectors, np.cumsum([len(detections) for detections in faces])[:-1])

    def identity(self, vectors: np.ndarray) -> np.ndarray:
        """The vectors themselves, at unit length: these models are trained for identity."""
        return _identity(vectors)

    def _forward(self, crops: np.ndarray) -> np.ndarray:
        mean, std = np.array(self._config.mean, np.float32), np.array(self._config.std, np.float32)
        images = (crops.astype(np.float32) / 255 - mean) / std
        output = self._session.run(None, {self._input: np.ascontiguousarray(images.transpose(0, 3, 1, 2))})[0]
        return np.asarray(output, np.float32)


def _identity(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(unit(np.asarray(vectors, np.float32)), np.float32)
