"""Finding faces with MTCNN (Zhang et al. 2016), by the weights in facenet-pytorch's package.

The three stages of the paper over whole batches: P-Net proposes boxes on an image pyramid, R-Net refines them, O-Net
decides and places five landmarks. Images of any sizes go through together. The boxes are facenet-pytorch's: the same
thresholds, the same pyramid, the same rounding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision.ops import nms

from face0.detection.alignment import NEUTRAL
from face0.detection.detections import Detections
from face0.detection.integral_images import IntegralImages, shrink
from face0.detection.limits import P_NET_SIDE, PYRAMID_MAX_SIDE
from face0.detection.networks import load_nets

THRESHOLDS = 0.6, 0.7, 0.7  # scores that a box must have after P-Net, R-Net and O-Net
PYRAMID_FACTOR = 0.709  # from level to level: about half the pixels
STRIDE = 2  # pixels between the windows that P-Net sees
BATCH_PIXELS = 2**22  # of images whose tables are in memory together: 8 bytes each
# Pixels of a pyramid's level that go through P-Net together, and boxes that go through R-Net or O-Net: on a CPU few,
# for more fall out of its cache; on a GPU as many as keep it busy in bounded memory.
CPU_LEVEL_PIXELS, GPU_LEVEL_PIXELS = 2**18, 2**23
CPU_BOXES, GPU_BOXES = 32, 4096


@dataclass(frozen=True)
class Boxes:
    """Candidates of a batch of images.

    Attributes:
        xyxy: float32 [n, 4], x0, y0, x1, y1 in pixels.
        score: float32 [n].
        image: int64 [n], the image that each lies in.
    """

    xyxy: torch.Tensor
    score: torch.Tensor
    image: torch.Tensor

    def __len__(self) -> int:
        return len(self.score)

    def __getitem__(self, index: torch.Tensor) -> "Boxes":
        return Boxes(self.xyxy[index], self.score[index], self.image[index])


class Detector:
    """MTCNN over batches of images."""

    def __init__(self, min_face: float, device: str) -> None:
        self._pnet, self._rnet, self._onet = load_nets(device)
        self._min_face, self._device = min_face, torch.device(device)
        on_cpu = self._device.type == "cpu"
        self._level_pixels, self._boxes = (CPU_LEVEL_PIXELS, CPU_BOXES) if on_cpu else (GPU_LEVEL_PIXELS, GPU_BOXES)

    @torch.inference_mode()
    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """The faces of each image (uint8 [H, W, 3]), largest first, with every score over MTCNN's own 0.7.

        Raises:
            ValueError: an image has more than PYRAMID_MAX_SIDE pixels a side.
        """
        if any(max(image.shape[:2]) > PYRAMID_MAX_SIDE for image in images):
            raise ValueError(f"an image is larger than {PYRAMID_MAX_SIDE} pixels a side: shrink it first")
        return [detections for part in _by_pixels(images) for detections in self._detect(part)]

    def detect_padded(self, images: Sequence[np.ndarray], margin: float) -> list[Detections]:
        """Like ``detect``, with each image shrunk into a grey frame: finds faces that fill the image to its edges.

        Args:
            images: uint8 [H, W, 3].
            margin: what is added at each side, as a share of the image's.
        """
        framed = [_framed(image, margin) for image in images]
        detections = self.detect([canvas for canvas, _, _ in framed])
        return [faces.mapped(scale, shift) for faces, (_, scale, shift) in zip(detections, framed, strict=True)]

    def _detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        sums = IntegralImages([torch.tensor(image, device=self._device) for image in images])
        boxes, landmarks = self._decide(sums, self._refine(sums, self._propose(sums)))
        return by_image(boxes, landmarks, len(images))

    def _propose(self, sums: IntegralImages) -> Boxes:
        """P-Net: boxes wherever a window of the pyramid looks like a face."""
        boxes, offsets, level = self._windows(sums)
        keep = _nms(boxes, 0.5, group=boxes.image * 64 + level)
        boxes, offsets = boxes[keep], offsets[keep]
        keep = _nms(boxes, 0.7, group=boxes.image)
        boxes, offsets = boxes[keep], offsets[keep]
        side = boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]
        return replace(boxes, xyxy=_square(boxes.xyxy + offsets * side.repeat(1, 2)))

    def _windows(self, sums: IntegralImages) -> tuple[Boxes, torch.Tensor, torch.Tensor]:
        """P-Net's windows over the threshold, their offsets [n, 4], and the pyramid's level that each was seen on."""
        nothing = torch.empty(0, dtype=torch.long, device=self._device)
        none = torch.empty(0, 4, device=self._device)
        windows = [(none, none[:, 0], nothing, none, nothing)]
        for stack in sums.stacks:
            for level, scale in enumerate(pyramid(min(stack.height, stack.width), self._min_face)):
                height, width = int(stack.height * scale + 1), int(stack.width * scale + 1)
                for part in _parts(len(stack.members), max(1, self._level_pixels // (height * width))):
                    features, scores = self._pnet(shrink(stack, part, height, width))
                    image, row, column = (scores >= THRESHOLDS[0]).nonzero(as_tuple=True)
                    cell = torch.stack([column, row], dim=1).float() * STRIDE
                    xyxy = torch.cat([((cell + 1) / scale).floor(), ((cell + P_NET_SIDE) / scale).floor()], dim=1)
                    offsets = self._pnet.offset(features[image, row, column])
                    score, member = scores[image, row, column], stack.members[part][image]
                    windows.append((xyxy, score, member, offsets, torch.full_like(image, level)))
        xyxy, score, image, offsets, levels = (torch.cat(parts) for parts in zip(*windows, strict=True))
        return Boxes(xyxy, score, image), offsets, levels

    def _refine(self, sums: IntegralImages, boxes: Boxes) -> Boxes:
        """R-Net: drops most boxes, and moves the rest."""
        boxes, (offsets, probabilities) = self._look(self._rnet, 24, sums, boxes)
        score = probabilities[:, 1]
        passed = score > THRESHOLDS[1]
        boxes, offsets = replace(boxes, score=score)[passed], offsets[passed]
        keep = _nms(boxes, 0.7, group=boxes.image)
        boxes, offsets = boxes[keep], offsets[keep]
        return replace(boxes, xyxy=_square(_moved(boxes.xyxy, offsets)))

    def _decide(self, sums: IntegralImages, boxes: Boxes) -> tuple[Boxes, torch.Tensor]:
        """O-Net: the final boxes, and their landmarks, float32 [n, 5, 2]."""
        boxes, (offsets, points, probabilities) = self._look(self._onet, 48, sums, boxes)
        score = probabilities[:, 1]
        passed = score > THRESHOLDS[2]
        boxes, offsets, points = replace(boxes, score=score)[passed], offsets[passed], points[passed]
        size = boxes.xyxy[:, 2:] - boxes.xyxy[:, :2] + 1
        # The net gives five x, then five y, as shares of the box.
        landmarks = points.unflatten(1, (2, 5)).mT * size[:, None] + boxes.xyxy[:, None, :2] - 1
        boxes = replace(boxes, xyxy=_moved(boxes.xyxy, offsets))
        keep = _nms_by_smaller(boxes, 0.7)
        return boxes[keep], landmarks[keep]

    def _look(
        self, net: nn.Module, size: int, sums: IntegralImages, boxes: Boxes
    ) -> tuple[Boxes, tuple[torch.Tensor, ...]]:
        """What a net says of the boxes that hold a pixel, each seen at size x size."""
        windows, inside = sums.windows(boxes.xyxy, boxes.image)
        boxes, windows = boxes[inside], windows[inside]
        if not len(boxes):  # which the nets cannot take, but whose outputs have shapes
            nothing = net(torch.zeros(1, 3, size, size, device=self._device))
            return boxes, tuple(output[:0] for output in nothing)
        outputs = [net(sums.resize(windows[part], boxes.image[part], size)) for part in _parts(len(boxes), self._boxes)]
        return boxes, tuple(torch.cat(parts) for parts in zip(*outputs, strict=True))


def _framed(image: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image shrunk into a grey canvas of its own size; canvas positions become the image's by scale and shift."""
    height, width = image.shape[:2]
    size = [max(1, round(side / (1 + 2 * margin))) for side in (width, height)]
    canvas = Image.new("RGB", (width, height), NEUTRAL)
    corner = (width - size[0]) // 2, (height - size[1]) // 2
    canvas.paste(Image.fromarray(image).resize((size[0], size[1]), Image.Resampling.BILINEAR), corner)
    scale = np.array([width / size[0], height / size[1]], np.float32)
    return np.asarray(canvas), scale, -scale * np.array(corner, np.float32)


def pyramid(side: int, min_face: float) -> list[float]:
    """The scales at which an image with this smaller side is searched for faces of min_face pixels and more."""
    scale = P_NET_SIDE / min_face
    left = side * scale
    scales = []
    while left >= P_NET_SIDE:
        scales.append(scale)
        scale, left = scale * PYRAMID_FACTOR, left * PYRAMID_FACTOR
    return scales


def _by_pixels(images: Sequence[np.ndarray]) -> Iterator[Sequence[np.ndarray]]:
    """Cuts the images into batches of bounded memory, whatever their sizes."""
    start = pixels = 0
    for position, image in enumerate(images):
        size = image.shape[0] * image.shape[1]
        if start < position and pixels + size > BATCH_PIXELS:
            yield images[start:position]
            start, pixels = position, 0
        pixels += size
    if start < len(images):
        yield images[start:]


def _parts(count: int, size: int) -> Iterator[slice]:
    """Slices of count things, so many at a time."""
    for start in range(0, count, size):
        yield slice(start, start + size)


def _moved(xyxy: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """Boxes moved by offsets that are shares of their size."""
    size = xyxy[:, 2:] - xyxy[:, :2] + 1
    return xyxy + offsets * size.repeat(1, 2)


def _square(xyxy: torch.Tensor) -> torch.Tensor:
    """Boxes grown to squares around their centres."""
    size = xyxy[:, 2:] - xyxy[:, :2]
    side = size.amax(dim=1, keepdim=True)
    corner = xyxy[:, :2] + size * 0.5 - side * 0.5
    return torch.cat([corner, corner + side], dim=1)


def _nms(boxes: Boxes, threshold: float, group: torch.Tensor) -> torch.Tensor:
    """Non-maximum suppression within each group: the positions of the boxes kept."""
    order = group.argsort(stable=True)
    counts = group[order].unique_consecutive(return_counts=True)[1].tolist()
    kept = [part[nms(boxes.xyxy[part], boxes.score[part], threshold)] for part in order.split(counts)]
    return torch.cat([order[:0], *kept])


def _nms_by_smaller(boxes: Boxes, threshold: float) -> torch.Tensor:
    """Suppression of boxes that share more than the threshold of the smaller one's area, within each image."""
    area = (boxes.xyxy[:, 2:] - boxes.xyxy[:, :2] + 1).prod(dim=1)
    kept: list[int] = []
    for image in boxes.image.unique():
        members = (boxes.image == image).nonzero()[:, 0]
        xyxy = boxes.xyxy[members]
        low, high = torch.maximum(xyxy[:, None, :2], xyxy[:, :2]), torch.minimum(xyxy[:, None, 2:], xyxy[:, 2:])
        shared = (high - low + 1).clamp(min=0).prod(dim=2) / torch.minimum(area[members, None], area[members])
        hides = (shared > threshold).cpu().numpy()
        chosen: list[int] = []
        # O-Net gives several boxes of a face the score 1: of equals facenet-pytorch usually takes the last.
        for candidate in boxes.score[members].argsort(stable=True).flip(0).tolist():
            if not hides[candidate, chosen].any():
                chosen.append(candidate)
        kept += members[chosen].tolist()
    return torch.tensor(kept, dtype=torch.long, device=boxes.score.device)


def by_image(boxes: Boxes, landmarks: torch.Tensor, images: int) -> list[Detections]:
    """Sorts boxes by the image they lie in: the detections of each image, largest first.

    Args:
        boxes: n of them, of a batch of images.
        landmarks: of the boxes, float32 [n, 5, 2].
        images: number of the images in the batch.
    """
    area = (boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]).prod(dim=1)
    order = area.argsort(descending=True, stable=True)
    xyxy, score, image, points = (
        values[order].cpu().numpy() for values in (boxes.xyxy, boxes.score, boxes.image, landmarks)
    )
    faces = Detections(boxes=xyxy, scores=score, landmarks=points)
    return [faces.take(np.flatnonzero(image == number)) for number in range(images)]
