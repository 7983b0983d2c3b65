"""Training images: squares of the pixels that are stored."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from face0.images.decoding import REDUCING_GAP, DecodedImage


@dataclass(frozen=True, kw_only=True)
class TrainingImage:
    """A square image to store: contiguous pixels, uint8 [side, side, 3], and the bytes of the file that holds them."""

    pixels: np.ndarray
    data: bytes


def to_training_image(decoded: DecodedImage, data: bytes, resolution: int) -> TrainingImage:
    """The centre square of an image, at most ``resolution`` a side and never enlarged.

    ``data`` is kept as it is where it already holds exactly these pixels. Otherwise it is a JPEG of them; the pixels
    returned are those before the loss.
    """
    height, width = decoded.pixels.shape[:2]
    crop = min(height, width)
    side = min(crop, resolution)
    if decoded.faithful and side == height == width:
        return TrainingImage(pixels=np.ascontiguousarray(decoded.pixels), data=data)
    left, top = (width - crop) // 2, (height - crop) // 2
    image = Image.fromarray(np.ascontiguousarray(decoded.pixels[top : top + crop, left : left + crop]))
    if side < crop:
        image = image.resize((side, side), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=JPEG_SUBSAMPLING)
    return TrainingImage(pixels=np.array(image), data=file.getvalue())


JPEG_QUALITY, JPEG_SUBSAMPLING = 95, 0  # 0 is 4:4:4: half the resolution of colour would be lost on eyes and lips
