"""Detections of an image as arrays, and which of them are used."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Detections:
    """The n faces of one image, largest first.

    Attributes:
        boxes: float32 [n, 4]: x0, y0, x1, y1 in pixels; may reach a little beyond the image.
        scores: float32 [n], 0..1.
        landmarks: float32 [n, 5, 2]: x, y of left eye, right eye, nose, left and right mouth corner, as seen.
    """

    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, index: np.ndarray) -> "Detections":
        """Some of the faces, in the order given.

        Args:
            index: their positions, int [m], or a mask, bool [n].
        """
        return Detections(boxes=self.boxes[index], scores=self.scores[index], landmarks=self.landmarks[index])

    def mapped(self, scale: np.ndarray, shift: np.ndarray) -> "Detections":
        """The faces where every point p is at p * scale + shift (both float32 [2]: x, y)."""
        return Detections(
            boxes=self.boxes * np.tile(scale, 2) + np.tile(shift, 2),
            scores=self.scores,
            landmarks=self.landmarks * scale + shift,
        )


@dataclass(frozen=True, kw_only=True)
class FaceFilter:
    """Which detected faces count.

    Attributes:
        min_face: pixels of the shorter side of the box (paper: 20).
        min_score: of the detector, 0..1.
        max_faces: of an image, the largest.
    """

    min_face: float = 20.0
    min_score: float = 0.9
    max_faces: int = 4

    def __call__(self, faces: Detections) -> Detections:
        """The largest faces over both thresholds, largest first."""
        width, height = (faces.boxes[:, 2:] - faces.boxes[:, :2]).T
        usable = np.flatnonzero((np.minimum(width, height) >= self.min_face) & (faces.scores >= self.min_score))
        largest = np.argsort(-(width * height)[usable], kind="stable")[: self.max_faces]
        return faces.take(usable[largest])
