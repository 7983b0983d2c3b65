"""The detector against facenet-pytorch's own, on the same pixels."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.agreement import MIN_FACE, Agreement, compare, lfw, overlap, tight
from face0.detection.detections import Detections
from face0.detection.mtcnn import Detector
from tests.fixtures.pictures import free_photographs


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
