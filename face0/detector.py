"""Finding faces with MTCNN (Zhang et al. 2016), by the weights in facenet-pytorch's package."""

from collections.abc import Sequence

import numpy as np
from facenet_pytorch import MTCNN
from PIL import Image

from face0.faces import Faces


class Detector:
    """MTCNN over batches of images."""

    def __init__(self, min_face: float, device: str) -> None:
        self._mtcnn = MTCNN(keep_all=True, min_face_size=min_face, device=device)

    def detect(self, images: Sequence[np.ndarray]) -> list[Faces]:
        """The faces of each image (uint8 [H, W, 3]), largest first, with every score over MTCNN's own 0.7."""
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: np.ndarray) -> Faces:
        if min(image.shape[:2]) < 20:
            boxes = None
        else:
            boxes, scores, landmarks = self._mtcnn.detect(Image.fromarray(image), landmarks=True)
        if boxes is None:
            return Faces(
                boxes=np.empty((0, 4), np.float32),
                scores=np.empty(0, np.float32),
                landmarks=np.empty((0, 5, 2), np.float32),
            )
        return Faces(
            boxes=np.asarray(boxes, np.float32),
            scores=np.asarray(scores, np.float32),
            landmarks=np.asarray(landmarks, np.float32),
        )
