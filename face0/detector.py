"""Finding faces with MTCNN (Zhang et al. 2016), by the weights in facenet-pytorch's package.

The three stages of the paper over whole batches: P-Net proposes boxes on an image pyramid, R-Net refines them, O-Net
decides and places five landmarks. Images of any sizes go through together. The boxes are facenet-pytorch's: the same
thresholds, the same pyramid, the same rounding.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from facenet_pytorch import MTCNN, PNet
from torch import nn
from torch.nn import functional
from torchvision.ops import nms

from face0.area_sums import AreaSums
from face0.faces import Faces

THRESHOLDS = 0.6, 0.7, 0.7  # scores that a box must have after P-Net, R-Net and O-Net
PYRAMID_FACTOR = 0.709  # from level to level: about half the pixels
CELL, STRIDE = 12, 2  # P-Net sees windows of 12 x 12 pixels, two apart
STACK_PIXELS = 2**18  # of images that go through P-Net together on a CPU: more fall out of its cache
NET_BATCH = 64  # boxes that go through R-Net or O-Net together, on a CPU for the same reason


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


class ProposalNet(nn.Module):
    """P-Net with its first pooling before its first PReLU, a quarter of the work for the same values.

    A PReLU of slope a <= 1 is max(x, a x). Where a < 0 the pooled maximum of both is needed, so such channels are
    computed twice, as x and as a x; elsewhere PReLU rises and may follow the pooling. With channels_last: 13 -> 6.4 ms
    for 308 x 308 pixels on one core.
    """

    def __init__(self, net: PNet) -> None:
        super().__init__()
        order = net.prelu1.weight.argsort()
        slope = net.prelu1.weight[order]
        self.falling = int((slope < 0).sum())
        twice = slope[: self.falling]
        weight, bias = net.conv1.weight[order], net.conv1.bias[order]
        self.conv1 = nn.Conv2d(3, len(order) + self.falling, 3)
        self.conv1.weight = nn.Parameter(torch.cat([weight, weight[: self.falling] * twice[:, None, None, None]]))
        self.conv1.bias = nn.Parameter(torch.cat([bias, bias[: self.falling] * twice]))
        self.slope = nn.Parameter(slope)
        net.conv2.weight = nn.Parameter(net.conv2.weight[:, order])
        self.features = nn.Sequential(net.conv2, net.prelu2, net.conv3, net.prelu3)
        self.score: nn.Module = net.conv4_1
        self.offset: nn.Module = net.conv4_2

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """[N, 3, H, W] to the offsets [N, 4, h, w] and the probability [N, h, w] of a face, for every second pixel."""
        both = functional.max_pool2d(self.conv1(x), 2, 2, ceil_mode=True)
        x = functional.prelu(both[:, : len(self.slope)], self.slope)
        x[:, : self.falling] = torch.maximum(x[:, : self.falling], both[:, len(self.slope) :])
        x = self.features(x)
        return self.offset(x), self.score(x).softmax(dim=1)[:, 1]


class Detector:
    """MTCNN over batches of images."""

    def __init__(self, min_face: float, device: str) -> None:
        nets = MTCNN()
        # channels_last: P-Net's narrow convolutions take half the time
        self._pnet, self._rnet, self._onet = (
            net.eval().to(device).to(memory_format=torch.channels_last)
            for net in (ProposalNet(nets.pnet), nets.rnet, nets.onet)
        )
        self._min_face, self._device = min_face, device

    @torch.inference_mode()
    def detect(self, images: Sequence[np.ndarray]) -> list[Faces]:
        """The faces of each image (uint8 [H, W, 3]), largest first, with every score over MTCNN's own 0.7."""
        if not images:
            return []
        pixels = [torch.tensor(image, device=self._device) for image in images]
        proposed = self._propose(pixels)
        sums = AreaSums(pixels)
        boxes, landmarks = self._decide(sums, self._refine(sums, proposed))
        return _by_image(boxes, landmarks, len(images))

    def _propose(self, pixels: Sequence[torch.Tensor]) -> Boxes:
        """P-Net: boxes wherever a window of the pyramid looks like a face."""
        boxes, offsets, level = self._windows(pixels)
        keep = _nms(boxes, 0.5, group=boxes.image * 64 + level)
        boxes, offsets = boxes[keep], offsets[keep]
        keep = _nms(boxes, 0.7, group=boxes.image)
        boxes, offsets = boxes[keep], offsets[keep]
        side = boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]
        return replace(boxes, xyxy=_square(boxes.xyxy + offsets * side.repeat(1, 2)))

    def _windows(self, pixels: Sequence[torch.Tensor]) -> tuple[Boxes, torch.Tensor, torch.Tensor]:
        """P-Net's windows over the threshold, their offsets [n, 4], and the pyramid's level that each was seen on."""
        found = []
        for (height, width), members in _stacks(pixels):
            stack = torch.stack([pixels[i] for i in members]).permute(0, 3, 1, 2).float().contiguous()
            numbers = torch.tensor(members, device=self._device)
            for level, scale in enumerate(pyramid(min(height, width), self._min_face)):
                size = int(height * scale + 1), int(width * scale + 1)
                x = _normalise(functional.interpolate(stack, size=size, mode="area"))
                offsets, scores = self._pnet(x.contiguous(memory_format=torch.channels_last))
                image, row, column = (scores >= THRESHOLDS[0]).nonzero(as_tuple=True)
                cell = torch.stack([column, row], dim=1).float() * STRIDE
                xyxy = torch.cat([((cell + 1) / scale).floor(), ((cell + CELL) / scale).floor()], dim=1)
                picked = offsets.permute(0, 2, 3, 1)[image, row, column]
                found.append((xyxy, scores[image, row, column], numbers[image], picked, torch.full_like(image, level)))
        if not found:  # every image is smaller than a window
            number = torch.empty(0, dtype=torch.long, device=self._device)
            box = torch.empty(0, 4, device=self._device)
            found = [(box, box[:, 0], number, box, number)]
        xyxy, score, image, offsets, levels = (torch.cat(parts) for parts in zip(*found, strict=True))
        return Boxes(xyxy, score, image), offsets, levels

    def _refine(self, sums: AreaSums, boxes: Boxes) -> Boxes:
        """R-Net: drops most boxes, and moves the rest."""
        boxes, (offsets, probabilities) = self._look(self._rnet, 24, sums, boxes)
        score = probabilities[:, 1]
        passed = score > THRESHOLDS[1]
        boxes, offsets = replace(boxes, score=score)[passed], offsets[passed]
        keep = _nms(boxes, 0.7, group=boxes.image)
        boxes, offsets = boxes[keep], offsets[keep]
        return replace(boxes, xyxy=_square(_moved(boxes.xyxy, offsets)))

    def _decide(self, sums: AreaSums, boxes: Boxes) -> tuple[Boxes, torch.Tensor]:
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

    def _look(self, net: nn.Module, size: int, sums: AreaSums, boxes: Boxes) -> tuple[Boxes, tuple[torch.Tensor, ...]]:
        """What a net says of the boxes that hold a pixel, each seen at size x size."""
        windows, inside = sums.windows(boxes.xyxy, boxes.image)
        boxes, windows = boxes[inside], windows[inside]
        if not len(boxes):  # which the nets cannot take, but whose outputs have shapes
            nothing = net(torch.zeros(1, 3, size, size, device=self._device))
            return boxes, tuple(output[:0] for output in nothing)
        outputs = []
        count = NET_BATCH if self._device == "cpu" else 4096
        for start in range(0, len(boxes), count):
            some = slice(start, start + count)
            outputs.append(net(_normalise(sums.resize(windows[some], boxes.image[some], size))))
        return boxes, tuple(torch.cat(parts) for parts in zip(*outputs, strict=True))


def pyramid(side: int, min_face: float) -> list[float]:
    """The scales at which an image with this smaller side is searched for faces of min_face pixels and more."""
    scale = CELL / min_face
    left = side * scale
    scales = []
    while left >= CELL:
        scales.append(scale)
        scale, left = scale * PYRAMID_FACTOR, left * PYRAMID_FACTOR
    return scales


def _stacks(pixels: Sequence[torch.Tensor]) -> Iterator[tuple[tuple[int, int], list[int]]]:
    """Images of one size [height, width], by their positions, few enough at a time for a CPU's cache."""
    by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, image in enumerate(pixels):
        by_size[image.shape[0], image.shape[1]].append(i)
    for (height, width), members in by_size.items():
        count = len(members) if pixels[0].is_cuda else max(1, STACK_PIXELS // (height * width))
        for start in range(0, len(members), count):
            yield (height, width), members[start : start + count]


def _normalise(x: torch.Tensor) -> torch.Tensor:
    """0..255 to -1..1, as the nets were trained."""
    return (x - 127.5) * 0.0078125


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
        # O-Net gives several boxes of a face the score 1: of equals facenet-pytorch takes the last.
        for i in boxes.score[members].argsort(stable=True).flip(0).tolist():
            if not hides[i, chosen].any():
                chosen.append(i)
        kept += members[chosen].tolist()
    return torch.tensor(kept, dtype=torch.long, device=boxes.score.device)


def _by_image(boxes: Boxes, landmarks: torch.Tensor, images: int) -> list[Faces]:
    """Candidates as the faces of each image, largest first."""
    area = (boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]).prod(dim=1)
    order = area.argsort(descending=True, stable=True)
    xyxy, score, image, points = (
        values[order].cpu().numpy() for values in (boxes.xyxy, boxes.score, boxes.image, landmarks)
    )
    faces = Faces(boxes=xyxy, scores=score, landmarks=points)
    return [faces.take(np.flatnonzero(image == i)) for i in range(images)]
