"""The detector against facenet-pytorch's own, on the same pixels."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from facenet_pytorch import MTCNN
from pictures import original
from PIL import Image

from face0.detector import Detector
from face0.faces import Faces

MIN_FACE, MIN_SCORE = 20.0, 0.9


def reference(mtcnn: MTCNN, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    boxes, scores = mtcnn.detect(Image.fromarray(image))
    if boxes is None:
        return np.empty((0, 4)), np.empty(0)
    return np.asarray(boxes, np.float64), np.asarray(scores, np.float64)


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[n, m] of boxes [n, 4] and [m, 4]."""
    low, high = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    area = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (a, b)]
    return shared / (area[0][:, None] + area[1] - shared)


def lfw_photographs(path: Path, count: int) -> Iterator[np.ndarray]:
    with tarfile.open(path) as tar:
        for member in tar:
            if member.name.endswith(".jpg") and count:
                count -= 1
                yield np.asarray(Image.open(io.BytesIO(tar.extractfile(member).read())).convert("RGB"))


def compare(images: list[np.ndarray], overlap: float) -> tuple[int, int, int]:
    """Faces over the thresholds: how many facenet-pytorch finds, how many of them we do, how many more we find."""
    mtcnn = MTCNN(keep_all=True, min_face_size=MIN_FACE)
    wanted = matched = extra = 0
    for image, found in zip(images, Detector(MIN_FACE, "cpu").detect(images), strict=True):
        boxes, scores = reference(mtcnn, image)
        boxes = boxes[scores >= MIN_SCORE]
        ours = found.boxes[found.scores >= MIN_SCORE].astype(np.float64)
        hits = iou(boxes, ours) > overlap
        wanted += len(boxes)
        matched += int(hits.any(axis=1).sum())
        extra += int((~hits.any(axis=0)).sum())
    return wanted, matched, extra


def test_the_free_photographs_give_the_same_faces() -> None:
    images = [np.asarray(Image.open(io.BytesIO(original(name))).convert("RGB")) for name in ("astronaut", "admiral")]
    wanted, matched, extra = compare(images, 0.99)
    assert wanted == 2
    assert (matched, extra) == (wanted, 0)


@pytest.mark.long
def test_lfw_gives_the_same_faces(shared_data: Path) -> None:
    images = list(lfw_photographs(shared_data / "lfw" / "lfw-00003.tar", 500))
    wanted, matched, extra = compare(images, 0.99)
    assert wanted > 500
    assert (matched, extra) == (wanted, 0)


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (12, 12), (19, 19), (20, 20), (33, 47)])
def test_small_images_give_no_faces(shape: tuple[int, int]) -> None:
    (faces,) = Detector(MIN_FACE, "cpu").detect([np.full((*shape, 3), 128, np.uint8)])
    assert isinstance(faces, Faces)
    assert len(faces) == 0
    assert faces.landmarks.shape == (0, 5, 2)
