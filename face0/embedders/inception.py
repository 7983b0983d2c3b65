"""Inception-ResNet-V1 of facenet-pytorch, cut after the average pool: 1792 values (paper, section 3)."""

import copy
import io
import os
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from face0.detection.alignment import Margins, crop_boxes
from face0.detection.detections import Detections
from face0.detection.facenet import load_facenet
from face0.embedders.interface import in_batches
from face0.embedders.weights import read_weights
from face0.errors import UsageError
from face0.io.storage import absolute
from face0.runtime.one_thread import one_thread
from face0.runtime.precision import fast_dtype

DIM = 1792
INPUT_SIZE = 160
# Names of the files that facenet-pytorch publishes, by the data set that they were trained on.
PUBLISHED = {"vggface2": "20180402-114759-vggface2.pt", "casia": "20180408-102900-casia-webface.pt"}


class PooledNet(nn.Module):
    """The net up to and with its average pool: [N, 3, 160, 160] in -1..1 to [N, 1792].

    Arranged for speed: batch norms folded into the convolutions, ReLUs in place, channels_last, and bfloat16 where the
    machine has instructions for it. Together 36 -> 15 ms a face on one AVX-512 core, of which 14 are arithmetic; in
    float32 36 -> 29.
    """

    def __init__(self, net: Any, device: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        layers = list(net.named_children())
        last = [name for name, _ in layers].index("avgpool_1a")
        self.layers = nn.Sequential(*(copy.deepcopy(layer) for _, layer in layers[: last + 1])).eval()
        module: Any
        for module in self.layers.modules():
            if isinstance(getattr(module, "bn", None), nn.BatchNorm2d):  # a convolution, its norm and a ReLU
                module.conv, module.bn = fuse_conv_bn_eval(module.conv, module.bn), nn.Identity()
            elif isinstance(module, nn.ReLU):
                module.inplace = True
        self.to(device, dtype).to(memory_format=torch.channels_last)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes the pooled values.

        Args:
            x: crops, float [N, 3, 160, 160] in -1..1, on the net's device.

        Returns:
            float32 [N, 1792].
        """
        return self.layers(x.to(self.dtype, memory_format=torch.channels_last)).flatten(1).float()


def _random_net(seed: int) -> Any:
    """A net with seeded weights whose batch norms were fitted to seeded noise.

    Without the fit its activations shrink from layer to layer until all faces have the same vector.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad(), one_thread():
        torch.manual_seed(seed)
        net = load_facenet().InceptionResnetV1(pretrained=None, classify=False)
        for norm in (module for module in net.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)):
            norm.momentum = None  # take the statistics of this batch as they are
        blobs = torch.randn(8, 3, 10, 10).clamp(-1, 1)
        net.train()(nn.functional.interpolate(blobs, size=INPUT_SIZE, mode="bilinear"))
    return net


@dataclass(frozen=True, kw_only=True)
class InceptionConfig:
    """Which weights, and how faces are cut for them.

    Attributes:
        trained_on: "vggface2", "casia", or "random".
        seed: of the random weights.
        weights: URI; None: where facenet-pytorch's own download puts them.
        sha256: digest that the weights must have; None: any.
        margins: of the crop around a detected face.
        precision: "fp32", or "auto": bfloat16 where the machine that embeds has it.
    """

    trained_on: str
    seed: int = 0
    weights: str | None = None
    sha256: str | None = None
    margins: Margins = field(default_factory=Margins)
    precision: str = "auto"

    def resolve(self) -> "InceptionConfig":
        """Loads the weights once, so that a job that lacks them ends before a worker starts. Raises UsageError."""
        if self.trained_on == "random":
            return self
        resolved = replace(self, weights=absolute(self._uri()), sha256=self._read()[1])
        resolved.net()
        return resolved

    def load(self, device: str) -> "InceptionEmbedder":
        """The net on a torch device, in evaluation mode."""
        dtype = torch.float32 if self.precision == "fp32" else fast_dtype(device)
        return InceptionEmbedder(self.net().eval(), self.margins, device, dtype)

    def load_identity(self, device: str) -> "InceptionIdentity":
        """The layers after the pool on a torch device. Raises UsageError."""
        return InceptionIdentity(self.net().eval(), device)

    def net(self) -> Any:
        """facenet-pytorch's net with these weights. Raises UsageError."""
        if self.trained_on == "random":
            return _random_net(self.seed)
        net = load_facenet().InceptionResnetV1(pretrained=None, classify=False)
        try:
            state = torch.load(io.BytesIO(self._read()[0]), map_location="cpu", weights_only=True)
            # The classes of the training set are no part of the embedder.
            net.load_state_dict({name: values for name, values in state.items() if not name.startswith("logits.")})
        except (RuntimeError, pickle.UnpicklingError, AttributeError, EOFError) as error:
            raise UsageError(f"{self._uri()} does not hold the weights of Inception-ResNet-V1: {error}") from error
        return net

    def metadata(self) -> Mapping[str, Any]:
        """The embedder as a face shard names it."""
        name = f"random:{self.seed}" if self.trained_on == "random" else self.trained_on
        margins = ",".join(f"{value:g}" for value in asdict(self.margins).values())
        return {"name": name, "sha256": self.sha256 or "", "crop": f"margins {margins} square {INPUT_SIZE}"}

    def _uri(self) -> str:
        if self.weights:
            return self.weights
        cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
        home = Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser()
        return str(home / "checkpoints" / PUBLISHED[self.trained_on])

    def _read(self) -> tuple[bytes, str]:
        name = PUBLISHED[self.trained_on]
        remedy = f"get {name} from facenet-pytorch's release v2.2.9, and put it there or name it with --weights URI"
        return read_weights(self._uri(), self.sha256, remedy)


class InceptionIdentity:
    """From the pooled values to the net's own output, 512 values: ``normalize(last_bn(last_linear(pooled)))``."""

    def __init__(self, net: Any, device: str) -> None:
        self._last = nn.Sequential(net.last_linear, net.last_bn).to(device)
        self._device = device

    @torch.inference_mode()
    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Pooled values [n, 1792] to float32 [n, 512] of unit length."""
        x = torch.from_numpy(np.asarray(vectors, np.float32)).to(self._device)
        return nn.functional.normalize(self._last(x)).cpu().numpy()


class InceptionEmbedder:
    """Faces to the 1792 pooled values."""

    dim = DIM

    def __init__(self, net: Any, margins: Margins, device: str, dtype: torch.dtype) -> None:
        self._pooled = PooledNet(net, device, dtype)
        self.identity = InceptionIdentity(net, device)
        self._margins, self._device = margins, device
        # In bfloat16 a CPU's kernels are the same for all sizes of batches, and filling one up would cost for nothing.
        self._always_full = device != "cpu" or dtype != torch.bfloat16

    def embed(self, images: Sequence[np.ndarray], faces: Sequence[Detections]) -> list[np.ndarray]:
        """See ``Embedder.embed``."""
        if not images:
            return []
        vectors = self.vectors(self.crops(images, faces))
        return np.split(vectors, np.cumsum([len(detections) for detections in faces])[:-1])

    def crops(self, images: Sequence[np.ndarray], faces: Sequence[Detections]) -> np.ndarray:
        """Cuts the faces out of all images with the margins: uint8 [n, 160, 160, 3]; arguments as for ``embed``."""
        pairs = zip(images, faces, strict=True)
        return np.concatenate(
            [crop_boxes(image, self._margins.square(detections.boxes), INPUT_SIZE) for image, detections in pairs]
        )

    @torch.inference_mode()
    def vectors(self, crops: np.ndarray) -> np.ndarray:
        """Embeds crops, uint8 [n, 160, 160, 3]: float32 [n, 1792]."""
        return in_batches(self._forward, crops, DIM, self._always_full)

    def _forward(self, crops: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(crops).to(self._device).permute(0, 3, 1, 2).float()
        # facenet-pytorch's fixed_image_standardization: 0..255 to about -1..1
        return self._pooled((x - 127.5) / 128).cpu().numpy()
