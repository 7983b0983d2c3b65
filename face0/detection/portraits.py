"""Portraits: a face with some of its surroundings, as a small JPEG to look at and to measure with."""

import io

import numpy as np
from PIL import Image

PORTRAIT_SIDE = 256  # pixels, at most
SURROUNDINGS = 0.5  # of the face's longer side, at each side of it: detectors and CLIP want more than the bare face
PORTRAIT_QUALITY = 90


def portrait(pixels: np.ndarray, box: np.ndarray) -> bytes:
    """Cuts out a face with its surroundings: a JPEG of at most 256 x 256 pixels, never enlarged.

    Args:
        pixels: uint8 [H, W, 3].
        box: x0, y0, x1, y1 of the face in pixels; may reach a little beyond the image.
    """
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = (float(value) for value in box)
    reach = max(x1 - x0, y1 - y0) * (0.5 + SURROUNDINGS)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    left, top = max(0, round(x - reach)), max(0, round(y - reach))
    right, bottom = min(width, round(x + reach)), min(height, round(y + reach))
    image = Image.fromarray(np.ascontiguousarray(pixels[top:bottom, left:right]))
    image.thumbnail((PORTRAIT_SIDE, PORTRAIT_SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=PORTRAIT_QUALITY)
    return file.getvalue()
