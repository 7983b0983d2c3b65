"""Do we find facenet-pytorch's faces, and embed them as it does?

  python -m benchmarks.agreement --data ../shared/data

On photographs of LFW (250 px), and on larger pictures made of them: one enlarged to 512 px, and mosaics of 16 at 1000
px. Then what --pad finds on faces cut out tightly, and what it costs.
"""

import argparse
import io
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from facenet_pytorch import MTCNN
from PIL import Image

from benchmarks.augment import photographs
from face0.augmentation.augmenter import IMAGE_BATCH
from face0.detection.detections import Detections, FaceFilter
from face0.detection.mtcnn import Detector
from face0.embedders.inception import InceptionConfig

MIN_FACE, MIN_SCORE = 20.0, 0.9


@dataclass
class Agreement:
    """Faces over the thresholds: those of facenet-pytorch, those of them that we find, and those that only we find."""

    wanted: int = 0
    found: int = 0
    extra: int = 0

    def __str__(self) -> str:
        return f"{self.found:,} of {self.wanted:,} faces found, {self.extra:,} extra"


def overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union [n, m] of boxes [n, 4] and [m, 4]."""
    low, high = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    area = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (a, b)]
    return shared / (area[0][:, None] + area[1] - shared)


def reference(mtcnn: MTCNN, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """facenet-pytorch's boxes [n, 4] and scores [n]."""
    boxes, scores = mtcnn.detect(Image.fromarray(image))
    if boxes is None:
        return np.empty((0, 4)), np.empty(0)
    return np.asarray(boxes, np.float64), np.asarray(scores, np.float64)


def compare(images: Sequence[np.ndarray], iou: float) -> Agreement:
    """Compares the detectors; a face is found when a box of ours overlaps its box by more than ``iou``."""
    mtcnn, detector = MTCNN(keep_all=True, min_face_size=MIN_FACE), Detector(MIN_FACE, "cpu")
    result = Agreement()
    for start in range(0, len(images), IMAGE_BATCH):
        batch = images[start : start + IMAGE_BATCH]
        for image, found in zip(batch, detector.detect(batch), strict=True):
            boxes, scores = reference(mtcnn, image)
            boxes = boxes[scores >= MIN_SCORE]
            ours = found.boxes[found.scores >= MIN_SCORE].astype(np.float64)
            hits = overlap(boxes, ours) > iou
            result.wanted += len(boxes)
            result.found += int(hits.any(axis=1).sum())
            result.extra += int((~hits.any(axis=0)).sum())
    return result


def least_cosine(images: Sequence[np.ndarray], config: InceptionConfig) -> float:
    """The least cosine between fast embeddings and those of facenet-pytorch's own layers in float32."""
    embedder = config.load("cpu")
    detector, usable = Detector(MIN_FACE, "cpu"), FaceFilter()
    crops = embedder.crops(images, [usable(found) for found in detector.detect(images)])
    layers = dict(config.net().eval().named_children())
    x = (torch.from_numpy(crops).permute(0, 3, 1, 2).float() - 127.5) / 128
    with torch.inference_mode():
        for name, layer in layers.items():
            x = layer(x)
            if name == "avgpool_1a":
                break
    return float(torch.cosine_similarity(x.flatten(1), torch.from_numpy(embedder.vectors(crops))).min())


def lfw(data: Path, count: int) -> list[np.ndarray]:
    """The first photographs."""
    return [np.asarray(Image.open(io.BytesIO(image)).convert("RGB")) for _, image in photographs(data, count)]


def larger(images: Sequence[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """Half of them one photograph at 512 px, half of them mosaics of 4 x 4."""
    for image in images[: count // 2]:
        yield np.asarray(Image.fromarray(image).resize((512, 512), Image.Resampling.LANCZOS))
    endless = itertools.cycle(images)
    for _ in range(count - count // 2):
        tiles = [next(endless) for _ in range(16)]
        yield np.concatenate([np.concatenate(tiles[row : row + 4], axis=1) for row in range(0, 16, 4)])


def tight(images: Sequence[np.ndarray], detector: Detector) -> list[np.ndarray]:
    """The largest face of each photograph, cut out along its box."""
    crops = []
    for image, found in zip(images, detector.detect(images), strict=True):
        if len(found):
            x0, y0, x1, y1 = found.boxes[0].clip(0).astype(int)
            crops.append(image[y0:y1, x0:x1])
    return crops


def count_found(faces: Sequence[Detections]) -> int:
    """Images with a usable face."""
    return sum(len(FaceFilter()(found)) > 0 for found in faces)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=2000, help="photographs of LFW (%(default)s)")
    parser.add_argument("--larger", type=int, default=300, help="larger pictures (%(default)s)")
    args = parser.parse_args()
    images = lfw(args.data, args.images)
    big = list(larger(images, args.larger))
    print(f"IoU over 0.95: LFW {compare(images, 0.95)}; larger {compare(big, 0.95)}", flush=True)
    cosine = least_cosine(images[:300], InceptionConfig(trained_on="random"))
    print(f"embeddings of 300 photographs, beside facenet-pytorch in float32: least cosine {cosine:.6f}")

    torch.set_num_threads(1)
    detector = Detector(MIN_FACE, "cpu")
    crops = tight(images[:500], detector)
    for name, function in (
        ("plain", detector.detect),
        *((f"--pad {share}", lambda x, share=share: detector.detect_padded(x, share)) for share in (0.1, 0.25, 0.5)),
    ):
        started = time.perf_counter()
        found = count_found(function(crops))
        milliseconds = 1e3 * (time.perf_counter() - started) / len(crops)
        print(f"tight crops, {name}: a face in {found} of {len(crops)}, {milliseconds:.1f} ms an image on one core")


if __name__ == "__main__":
    main()
