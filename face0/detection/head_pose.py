"""Which way a head is turned, from five landmarks: to see whether one pose is copied into every scene."""

import numpy as np

from face0.detection.alignment import ARCFACE_POINTS

# How far the tip of the nose stands out from the plane of eyes and mouth, in distances between the eyes
NOSE_DEPTH = 0.5


def _average_head() -> np.ndarray:
    """The five points of a head that looks at the camera: x to the right, y down, z towards the camera; [5, 3]."""
    eyes = np.linalg.norm(ARCFACE_POINTS[1] - ARCFACE_POINTS[0])
    depth = np.array([0, 0, NOSE_DEPTH * eyes, 0, 0])
    points = np.column_stack([ARCFACE_POINTS, depth]).astype(float)
    return points - points.mean(axis=0)


HEAD = _average_head()


def head_directions(landmarks: np.ndarray) -> np.ndarray:
    """The directions in which heads face: unit vectors, x to the right, y down, z towards the camera; float64 [n, 3].

    The pose of an average head under scaled orthography by least squares (DeMenthon and Davis 1995), which is rough:
    people's noses differ, and five points are few. It is for comparing poses with one another. NaN where the points lie
    on a line or in one place.

    Args:
        landmarks: left eye, right eye, nose, left and right corner of the mouth, as seen, in any unit [n, 5, 2].
    """
    points = landmarks - landmarks.mean(axis=1, keepdims=True)
    cameras = np.swapaxes(points, 1, 2) @ np.linalg.pinv(HEAD).T  # [n, 2, 3]
    left, scales, right = np.linalg.svd(cameras, full_matrices=False)
    across, down = np.swapaxes(left @ right, 0, 1)  # the nearest two rows of a rotation
    facing = np.stack([across[:, 2], down[:, 2], np.cross(across, down)[:, 2]], axis=1)
    flat = scales[:, 1] <= 1e-6 * np.maximum(scales[:, 0], 1e-12)
    return np.where(flat[:, None], np.nan, facing)


def degrees(cosine: float) -> float:
    """The angle of a cosine in degrees, 0..180."""
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
