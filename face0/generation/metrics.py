"""What is seen in generated images: faces, whose they are, and how they fit prompt and face."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from face0.detection.alignment import Margins, crop_boxes
from face0.detection.detections import Detections, FaceFilter
from face0.detection.mtcnn import Detector
from face0.embedders.interface import Embedder
from face0.generation.clip import Clip
from face0.generation.requests import Request
from face0.images.decoding import decode
from face0.images.reading import BadImage
from face0.statistics.vectors import as_stored

DETECTION_SIDE = (
    256  # pixels to which smaller images are enlarged: a face of a small picture would be too small to find
)
CLIP_SIDE = 224  # pixels of the face that CLIP sees


class ImageMetrics:
    """Measures images. Threads may share it.

    Args:
        device: of the detector.
        embedder: the model's own, for ``face_vector``, ``identity_vector`` and ``similarity``.
        judge: an independent one.
        clip: for the alignments.
    """

    def __init__(self, device: str, embedder: Embedder | None, judge: Embedder | None, clip: Clip | None) -> None:
        self._detector = Detector(FaceFilter.min_face, device)
        self._filter = FaceFilter(max_faces=100)
        self._embedder, self._judge, self._clip = embedder, judge, clip
        self._portrait = lru_cache(256)(self._look_at_portrait)

    def __call__(self, images: Sequence[np.ndarray], requests: Sequence[Request]) -> list[dict[str, Any]]:
        """The columns of RESULTS from ``faces_found`` to ``face_alignment``, for each image (uint8 [H, W, 3])."""
        enlarged_images = [enlarged(image) for image in images]
        faces = [self._filter(detections) for detections in self._detector.detect(enlarged_images)]
        largest = [detections.take(np.arange(min(1, len(detections)))) for detections in faces]
        own = [_stored(vector) for vector in self._embedded(enlarged_images, largest)]
        identities = [self._identity(vector) for vector in own]
        judged = self._judged(enlarged_images, largest) if self._judge else [None] * len(enlarged_images)
        rows = []
        for i, request in enumerate(requests):
            scale = images[i].shape[1] / enlarged_images[i].shape[1]
            row = {
                "faces_found": len(faces[i]),
                "box": largest[i].boxes[0] * scale if len(faces[i]) else None,
                "landmarks": (largest[i].landmarks[0] * scale).ravel() if len(faces[i]) else None,
                "face_vector": own[i],
                "identity_vector": _stored(identities[i]),
                "judge_vector": _stored(judged[i]),
                "similarity": self._similarity(identities[i], request),
                "judge_similarity": self._judge_similarity(judged[i], request),
                **self._alignments(enlarged_images[i], largest[i], request),
            }
            rows.append(row)
        return rows

    def _embedded(self, images: Sequence[np.ndarray], faces: Sequence[Detections]) -> list[np.ndarray | None]:
        return _first(self._embedder.embed(images, faces)) if self._embedder else [None] * len(images)

    def _identity(self, vector: np.ndarray | None) -> np.ndarray | None:
        """Computes the identity vector of a vector as it is stored, so that whoever reads that gets the same."""
        if vector is None or self._embedder is None:
            return None
        return self._embedder.identity(vector[None])[0]

    def _similarity(self, identity: np.ndarray | None, request: Request) -> float | None:
        if identity is None or (asked := self._identity(request.vector)) is None:
            return None
        return float(identity @ asked)

    def _judged(self, images: Sequence[np.ndarray], faces: Sequence[Detections]) -> list[np.ndarray | None]:
        assert self._judge is not None
        return [
            None if vector is None else self._judge.identity(vector[None])[0]
            for vector in _first(self._judge.embed(images, faces))
        ]

    def _judge_similarity(self, vector: np.ndarray | None, request: Request) -> float | None:
        if vector is None or request.portrait is None:
            return None
        reference, _ = self._portrait(request.portrait)
        return None if reference is None else float(vector @ reference)

    def _alignments(self, image: np.ndarray, face: Detections, request: Request) -> dict[str, float | None]:
        if self._clip is None:
            return {"text_alignment": None, "face_alignment": None}
        whole = self._clip.images([image])[0]
        aligned = None
        if len(face) and request.portrait is not None:
            _, reference = self._portrait(request.portrait)
            if reference is not None:
                aligned = float(self._clip.images([_face_crop(image, face)])[0] @ reference)
        return {"text_alignment": float(whole @ self._clip.text(request.prompt)), "face_alignment": aligned}

    def _look_at_portrait(self, portrait: bytes) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The judge's and CLIP's vectors of the face in a picture of the bank; None where no face is found."""
        try:
            image = enlarged(decode(portrait).pixels)
        except BadImage:
            return None, None
        face = FaceFilter(max_faces=1)(self._detector.detect([image])[0])
        if not len(face):
            return None, None
        judged = self._judged([image], [face])[0] if self._judge else None
        return judged, self._clip.images([_face_crop(image, face)])[0] if self._clip else None


def enlarged(image: np.ndarray) -> np.ndarray:
    """An image (uint8 [H, W, 3]) whose shorter side has at least DETECTION_SIDE pixels."""
    height, width = image.shape[:2]
    scale = DETECTION_SIDE / min(height, width)
    if scale <= 1:
        return image
    size = round(width * scale), round(height * scale)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def _face_crop(image: np.ndarray, face: Detections) -> np.ndarray:
    """The face as the paper crops it for its embedder, uint8 [CLIP_SIDE, CLIP_SIDE, 3]."""
    return crop_boxes(image, Margins().square(face.boxes[:1]), CLIP_SIDE)[0]


def _first(vectors: Sequence[np.ndarray]) -> list[np.ndarray | None]:
    return [of_image[0] if len(of_image) else None for of_image in vectors]


def _stored(vector: np.ndarray | None) -> np.ndarray | None:
    return None if vector is None else as_stored(vector)
