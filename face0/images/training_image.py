"""Training images: squares of the pixels that are stored."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from face0.images.decoding import REDUCING_GAP, DecodedImage

RESOLUTION = 512  # pixels a side of a training image, at most, unless something else is said


@dataclass(frozen=True, kw_only=True)
class TrainingImage:
    """A square image to store.

    Attributes:
        pixels: contiguous, uint8 [side, side, 3].
        data: bytes of the file that holds them.
    """

    pixels: np.ndarray
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Square:
    """The centre square of an image: what is looked at, and stored.

    Attributes:
        pixels: contiguous, uint8 [side, side, 3].
        scale: a point p of the square is at ``p * scale + shift`` in the image; float32 [2], x and y.
        shift: see there.
    """

    pixels: np.ndarray
    scale: np.ndarray
    shift: np.ndarray


def centre_square(pixels: np.ndarray, resolution: int) -> Square:
    """The centre square of an image (uint8 [H, W, 3]), at most ``resolution`` a side and never enlarged."""
    height, width = pixels.shape[:2]
    crop = min(height, width)
    side = min(crop, resolution)
    left, top = (width - crop) // 2, (height - crop) // 2
    square = np.ascontiguousarray(pixels[top : top + crop, left : left + crop])
    if side < crop:
        image = Image.fromarray(square)
        square = np.array(image.resize((side, side), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP))
    scale, shift = np.full(2, crop / side, np.float32), np.array([left, top], np.float32)
    return Square(pixels=square, scale=scale, shift=shift)


def to_training_image(decoded: DecodedImage, data: bytes, resolution: int) -> TrainingImage:
    """The centre square of an image, at most ``resolution`` a side and never enlarged.

    ``data`` is kept as it is where it already holds exactly these pixels. Otherwise it is a JPEG of them; the pixels
    returned are those before the loss.
    """
    pixels = centre_square(decoded.pixels, resolution).pixels
    if decoded.faithful and pixels.shape == decoded.pixels.shape:
        return TrainingImage(pixels=pixels, data=data)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY, subsampling=JPEG_SUBSAMPLING)
    return TrainingImage(pixels=pixels, data=file.getvalue())


JPEG_QUALITY, JPEG_SUBSAMPLING = 95, 0  # 0 is 4:4:4: half the resolution of colour would be lost on eyes and lips
