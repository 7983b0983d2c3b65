"""Which faces of an image count, and in what order."""

import numpy as np
import pytest

from face0.detection.detections import Detections, FaceFilter


def faces(*boxes: tuple[float, float, float, float], scores: list[float] | None = None) -> Detections:
    n = len(boxes)
    return Detections(
        boxes=np.array(boxes, np.float32).reshape(n, 4),
        scores=np.array(scores if scores is not None else [1.0] * n, np.float32),
        landmarks=np.arange(n * 10, dtype=np.float32).reshape(n, 5, 2),
    )


# --- Which faces count


def test_the_largest_faces_come_first_with_all_that_is_theirs():
    found = FaceFilter(max_faces=2)(faces((0, 0, 30, 30), (5, 5, 105, 105), (0, 0, 60, 60), scores=[0.91, 0.92, 0.93]))
    assert found.boxes.tolist() == [[5, 5, 105, 105], [0, 0, 60, 60]]
    assert np.allclose(found.scores, [0.92, 0.93])
    assert found.landmarks[:, 0, 0].tolist() == [10, 20]


def test_a_face_counts_from_both_thresholds_on():
    boxes = [(0, 0, 20, 20), (0, 0, 19.9, 90), (0, 0, 90, 19.9), (0, 0, 21, 21), (0, 0, 22, 22)]
    found = FaceFilter(min_face=20, min_score=0.5)(faces(*boxes, scores=[0.5, 1, 1, 0.49, 0.51]))
    assert found.boxes[:, 2].tolist() == [22, 20]


def test_faces_of_one_size_keep_their_order():
    found = FaceFilter()(faces((0, 0, 30, 30), (10, 0, 40, 30), (20, 0, 50, 30)))
    assert found.boxes[:, 0].tolist() == [0, 10, 20]


@pytest.mark.parametrize("some", [faces(), faces((0, 0, 5, 5)), faces((0, 0, 50, 50), scores=[0.1])])
def test_no_face_is_left(some):
    left = FaceFilter()(some)
    assert len(left) == 0
    assert (left.boxes.shape, left.scores.shape, left.landmarks.shape) == ((0, 4), (0,), (0, 5, 2))
