"""The detector against facenet-pytorch's own, on the same pixels."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN
from PIL import Image
from torch.nn import functional

from benchmarks.agreement import MIN_FACE, Agreement, compare, least_cosine, lfw, overlap, tight
from face0.detection.detections import Detections
from face0.detection.integral_images import IntegralImages, shrink
from face0.detection.mtcnn import Detector
from face0.detection.networks import MaxPool, load_nets
from face0.embedders.inception import InceptionConfig
from tests.fixtures.pictures import original


def free_photographs() -> list[np.ndarray]:
    return [np.asarray(Image.open(io.BytesIO(original(name))).convert("RGB")) for name in ("astronaut", "admiral")]


def test_the_free_photographs_give_the_same_faces() -> None:
    assert compare(free_photographs(), 0.99) == Agreement(wanted=2, found=2, extra=0)


@pytest.mark.long
def test_lfw_gives_the_same_faces(shared_data: Path) -> None:
    images = lfw(shared_data, 500)
    seen = compare(images, 0.99)
    assert seen.wanted > 500
    assert seen == Agreement(wanted=seen.wanted, found=seen.wanted, extra=0)


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (12, 12), (19, 19), (20, 20), (33, 47)])
def test_small_images_give_no_faces(shape: tuple[int, int]) -> None:
    (faces,) = Detector(MIN_FACE, "cpu").detect([np.full((*shape, 3), 128, np.uint8)])
    assert isinstance(faces, Detections)
    assert len(faces) == 0
    assert faces.landmarks.shape == (0, 5, 2)


def test_images_beyond_what_the_tables_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="1024 pixels"):
        Detector(MIN_FACE, "cpu").detect([np.zeros((1025, 10, 3), np.uint8)])


def test_what_else_is_in_the_batch_changes_nothing() -> None:
    astronaut, admiral = free_photographs()
    detector = Detector(MIN_FACE, "cpu")
    together = detector.detect([astronaut, np.zeros((700, 900, 3), np.uint8), admiral])
    for found, image in zip(together[::2], (astronaut, admiral), strict=True):
        np.testing.assert_allclose(found.boxes, detector.detect([image])[0].boxes, atol=1e-3)


def test_a_face_that_fills_the_image_is_found_in_a_frame_and_placed_where_it_is() -> None:
    (astronaut,) = free_photographs()[:1]
    detector = Detector(MIN_FACE, "cpu")
    whole = detector.detect([astronaut])[0].take(np.array([0]))
    x, y = whole.boxes[0, :2].astype(int)
    (crop,) = tight([astronaut], detector)
    (framed,) = detector.detect_padded([crop], 0.25)
    expected = whole.mapped(np.ones(2, np.float32), np.array([-x, -y], np.float32))
    assert overlap(framed.boxes[:1], expected.boxes)[0, 0] > 0.85
    assert framed.boxes.dtype == framed.landmarks.dtype == np.float32
    assert np.abs(framed.landmarks[0] - expected.landmarks[0]).max() < 0.05 * len(crop)


def test_fast_embeddings_are_those_of_float32() -> None:
    assert least_cosine(free_photographs(), InceptionConfig(trained_on="random")) > 0.999


@pytest.mark.parametrize("size", [*range(1, 13), 44, 46])
@pytest.mark.parametrize("kernel", [2, 3])
def test_the_pooling_is_torchs(kernel: int, size: int) -> None:
    x = torch.randn(2, 5, size, 11).contiguous(memory_format=torch.channels_last)
    if size >= kernel:
        assert torch.equal(MaxPool(kernel)(x), functional.max_pool2d(x, kernel, 2, ceil_mode=True))


def test_p_net_is_facenet_pytorchs() -> None:
    x = torch.rand(2, 3, 45, 61) * 2 - 1
    fast, original = load_nets("cpu")[0], MTCNN().pnet
    with torch.inference_mode():
        features, score = fast(x)
        offsets, probability = original(x)
        torch.testing.assert_close(score, probability[:, 1], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(fast.offset(features).permute(0, 3, 1, 2), offsets, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("white", [True, False])
def test_the_tables_average_as_torch_does(white: bool) -> None:
    images = [torch.randint(0, 256, (70, 90, 3), dtype=torch.uint8) for _ in range(3)]
    if white:  # the largest sums
        images = [torch.full((1024, 1024, 3), 255, dtype=torch.uint8) for _ in range(2)]
    sums = IntegralImages([images[0], torch.zeros(20, 30, 3, dtype=torch.uint8), *images[1:]])
    (stack,) = [stack for stack in sums.stacks if stack.height == images[0].shape[0]]
    expected = (torch.stack(images).permute(0, 3, 1, 2).double() - 127.5) / 128
    for size in ((12, 12), (33, 47), (90, 100)):
        found = shrink(stack, slice(None), *size)
        torch.testing.assert_close(
            found.double(), functional.interpolate(expected, size=size, mode="area"), atol=1e-5, rtol=0
        )
    window = torch.tensor([[3, 5, 60, 66]])
    found = sums.resize(window, torch.tensor([2]), 24)
    expected = functional.interpolate(expected[1:2, :, 5:66, 3:60], size=24, mode="area")
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
