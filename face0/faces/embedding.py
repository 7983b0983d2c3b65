"""The one way from a picture to the vectors of its faces: training image, detections, vectors.

``face0 augment`` stores them, ``face0 faces from-photos`` puts them into a bank, and ``Face0Pipeline`` is conditioned
on them: of a photograph whose training image holds the face all three have the same, to the last bit, on one kind of
machine and device.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from face0.detection.detections import Detections, FaceFilter
from face0.detection.limits import PYRAMID_MAX_SIDE
from face0.detection.mtcnn import Detector
from face0.embedders.interface import Embedder
from face0.images.decoding import REDUCING_GAP
from face0.images.training_image import RESOLUTION, centre_square
from face0.runtime.one_thread import one_thread
from face0.statistics.vectors import as_stored

PAD = 0.5  # grey frame, a share of the side, in which a face that fills the picture is looked for again


@dataclass(frozen=True, kw_only=True)
class EmbeddedFaces:
    """The faces of a picture, the largest first.

    Attributes:
        detections: all n of them, in pixels of what was looked at.
        vectors: conditioning vectors of the first of them, float32 [m, dim], m <= n. Their values are those of float16,
            in which shards store them and models are trained on them.
    """

    detections: Detections
    vectors: np.ndarray


@dataclass(frozen=True, kw_only=True)
class PhotographFaces(EmbeddedFaces):
    """The faces of a photograph.

    Attributes:
        scale: a point p of what was looked at is at ``p * scale + shift`` in the photograph; float32 [2], x and y.
        shift: see there.
        is_square: whether they are those of the training image, which ``face0 augment`` stores; else that does not hold
            the largest of them.
    """

    scale: np.ndarray
    shift: np.ndarray
    is_square: bool


class FaceEmbedder:
    """Finds and embeds faces. Threads may share it.

    Args:
        embedder: makes the vectors.
        faces: which of the detected faces count.
        device: of the detector.
        resolution: pixels a side of the training images that are cut from photographs, at most.
    """

    def __init__(self, embedder: Embedder, faces: FaceFilter, device: str, resolution: int = RESOLUTION) -> None:
        self.embedder = embedder
        self.resolution = resolution
        self._faces = faces
        self._detector = Detector(faces.min_face, device)

    def training_images(self, images: Sequence[np.ndarray], pad: float = 0.0) -> list[EmbeddedFaces]:
        """The faces of training images (uint8 [side, side, 3]), whose vectors do not depend on the other images.

        Args:
            images: together they are faster than one by one.
            pad: images without a face are searched again in a grey frame of this share of their side; 0: they are not.
        """
        with one_thread():
            detections = self._detect(images)
            if pad:
                without = [index for index, faces in enumerate(detections) if not len(faces)]
                for index, faces in zip(without, self._detect([images[index] for index in without], pad), strict=True):
                    detections[index] = faces
            return [
                EmbeddedFaces(detections=faces, vectors=vectors)
                for faces, vectors in zip(detections, self._embed(images, detections), strict=True)
            ]

    def photograph(self, pixels: np.ndarray, most: int) -> PhotographFaces:
        """The faces of a photograph: of its training image; only if that does not hold the largest, of the whole.

        The whole is looked at with its shorter side at the resolution, so that an embedder's margins, which are pixels,
        mean the same. A face that leaves it too is looked for again in a grey frame: the detector finds faces that fill
        the picture in the wrong place, if at all. Of close crops of a face the vectors of MobileFaceNet had cosines of
        -0.01 to 0.17 to that of the whole photograph when found in the square, and of 0.87 to 0.97 with the frame.

        Args:
            pixels: uint8 [H, W, 3].
            most: faces that are embedded, the largest.
        """
        square = centre_square(pixels, self.resolution)
        image, scale, shift, is_square = square.pixels, square.scale, square.shift, True
        with one_thread():
            (faces,) = self._detect([image])
            if not _holds(image, faces):
                whole, whole_scale = _shrunk(pixels, self.resolution)
                elsewhere = self._look_again(whole)
                if len(elsewhere):
                    image, scale, shift, is_square = whole, whole_scale, np.zeros(2, np.float32), False
                    faces = elsewhere
            (vectors,) = self._embed([image], [faces.take(np.arange(min(most, len(faces))))])
        return PhotographFaces(detections=faces, vectors=vectors, scale=scale, shift=shift, is_square=is_square)

    def _look_again(self, whole: np.ndarray) -> Detections:
        """The faces of a whole photograph, perhaps found in a grey frame."""
        (faces,) = self._detect([whole])
        if _holds(whole, faces):
            return faces
        (framed,) = self._detect([whole], PAD)
        return framed if len(framed) else faces

    def _detect(self, images: Sequence[np.ndarray], pad: float = 0.0) -> list[Detections]:
        detections = self._detector.detect_padded(images, pad) if pad else self._detector.detect(images)
        return [self._faces(faces) for faces in detections]

    def _embed(self, images: Sequence[np.ndarray], faces: Sequence[Detections]) -> list[np.ndarray]:
        return [as_stored(vectors) for vectors in self.embedder.embed(images, faces)]


def _holds(image: np.ndarray, faces: Detections) -> bool:
    """Whether there is a face, and the largest lies in the image to its edges."""
    height, width = image.shape[:2]
    if not len(faces):
        return False
    box = faces.boxes[0]
    return bool((box >= 0).all() and (box <= [width, height, width, height]).all())


def _shrunk(pixels: np.ndarray, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixels with their shorter side at the resolution, and by what x and y there are multiplied to be those here:
    float32 [2]."""
    height, width = pixels.shape[:2]
    factor = min(1.0, resolution / min(height, width), PYRAMID_MAX_SIDE / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    scale = np.array([width / size[0], height / size[1]], np.float32)
    if factor == 1:
        return pixels, scale
    image = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    return np.asarray(image), scale
