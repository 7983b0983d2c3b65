"""Which way a head is turned, of heads that were turned by a known angle, and of photographs."""

import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from face0.detection.head_pose import HEAD, degrees, head_directions
from face0.detection.mtcnn import Detector
from face0.evaluation.characters.head_pose import result_directions
from tests.fixtures.pictures import original


def turned(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """A rotation by degrees about the vertical, the horizontal, and the axis of the camera."""
    a, b, c = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (30, 0), (-45, 10), (0, 25), (20, -20)])
def test_the_turn_of_a_head_is_found_at_any_scale_and_place(yaw, pitch):
    rotation = turned(yaw, pitch, 0)
    seen = 3.7 * (HEAD @ rotation.T)[:, :2] + (200, 50)
    (found,) = head_directions(seen[None])
    assert found == pytest.approx(rotation @ (0, 0, 1), abs=1e-9)


def test_a_head_tilted_in_the_plane_is_turned_as_far_from_the_camera():
    straight, tilted = (head_directions((HEAD @ turned(20, 5, roll).T)[None, :, :2])[0] for roll in (0, 40))
    assert tilted[2] == pytest.approx(straight[2])


def test_points_that_are_no_face_have_no_direction():
    line = np.outer(np.arange(5.0), (1, 2))
    assert np.isnan(head_directions(np.stack([line, np.zeros((5, 2))]))).all()


def test_a_mirrored_photograph_faces_the_mirrored_way():
    image = np.asarray(Image.open(io.BytesIO(original("astronaut"))).convert("RGB"))
    directions = []
    for pixels in (image, image[:, ::-1].copy()):
        (faces,) = Detector(20, "cpu").detect([pixels])
        directions.append(head_directions(faces.landmarks[:1])[0])
    one, other = directions
    assert degrees(other @ (one * (-1, 1, 1))) < 5


def test_results_without_a_face_have_no_direction():
    column = pa.chunked_array([pa.array([HEAD[:, :2].ravel(), None], pa.list_(pa.float32()))])
    found = result_directions(column)
    assert degrees(found[0] @ (0, 0, 1)) < 0.1
    assert np.isnan(found[1]).all()
