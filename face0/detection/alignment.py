"""Cutting faces out: the paper's rectangle with margins, and the alignment on five points."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

# Where ArcFace and its descendants put left eye, right eye, nose and mouth corners on a crop of 112 x 112 pixels.
ARCFACE_POINTS = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)
NEUTRAL = (127, 127, 127)  # what lies beyond the image: close to 0 after the usual (x - 127.5) / 128


@dataclass(frozen=True, kw_only=True)
class Margins:
    """How far the detected rectangle grows, in pixels of the training image (paper: 10, 33, 10, 15).

    Hair style matters, so most is added above.

    Attributes:
        left: pixels added at the left.
        top: above.
        right: at the right.
        bottom: below.
    """

    left: float = 10.0
    top: float = 33.0
    right: float = 10.0
    bottom: float = 15.0

    def square(self, boxes: np.ndarray) -> np.ndarray:
        """The boxes [n, 4] grown by the margins, then to squares around their centres.

        The square keeps the aspect ratio of what is in it when it is resized to the embedder's input, and shows more
        of the picture instead of bars. It is rounded to sixteenths of a pixel, so that a box whose last bits differ,
        for it was found beside other images, gives the same crop.
        """
        grown = boxes + np.array([-self.left, -self.top, self.right, self.bottom], boxes.dtype)
        centres = (grown[:, :2] + grown[:, 2:]) / 2
        sides = (grown[:, 2:] - grown[:, :2]).max(axis=1, keepdims=True)
        corners, sides = np.round((centres - sides / 2) * 16) / 16, np.round(sides * 16) / 16
        return np.concatenate([corners, corners + sides], axis=1)


def crop_boxes(pixels: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    """Cuts boxes out of an image, each resized with antialiasing: uint8 [n, size, size, 3].

    Args:
        pixels: uint8 [H, W, 3].
        boxes: float [n, 4], x0, y0, x1, y1 in pixels; what lies beyond the image is NEUTRAL.
        size: pixels a side of a crop.
    """
    image = Image.fromarray(pixels)
    height, width = pixels.shape[:2]
    crops = np.empty((len(boxes), size, size, 3), np.uint8)
    for crop, (x0, y0, x1, y1) in zip(crops, boxes.tolist(), strict=True):
        if x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height:
            crop[:] = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=(x0, y0, x1, y1)))
            continue
        # Only a little canvas around the box, so that a face at the edge of a large image costs no copy of it.
        left, top = int(np.floor(x0)), int(np.floor(y0))
        canvas = Image.new("RGB", (int(np.ceil(x1)) - left, int(np.ceil(y1)) - top), NEUTRAL)
        visible = (max(left, 0), max(top, 0), min(left + canvas.width, width), min(top + canvas.height, height))
        if visible[0] < visible[2] and visible[1] < visible[3]:
            canvas.paste(image.crop(visible), (visible[0] - left, visible[1] - top))
        box = (x0 - left, y0 - top, x1 - left, y1 - top)
        crop[:] = np.asarray(canvas.resize((size, size), Image.Resampling.BILINEAR, box=box))
    return crops


def similarity(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The least-squares rotation, scale and shift that bring points [n, k, 2] onto target [k, 2].

    Closed form in the complex plane (a similarity is ``a * z + b``), without reflections: Umeyama 1991, 2-d case.

    Returns:
        float64 [n, 2, 3]: ``target ~ matrix[:, :2] @ point + matrix[:, 2]``.
    """
    z = points[..., 0].astype(np.float64) + 1j * points[..., 1]
    w = target[:, 0].astype(np.float64) + 1j * target[:, 1]
    z_mean, w_mean = z.mean(axis=1, keepdims=True), w.mean()
    centred = z - z_mean
    spread = np.maximum((np.abs(centred) ** 2).sum(axis=1), 1e-12)
    a = (np.conj(centred) * (w - w_mean)).sum(axis=1) / spread
    b = w_mean - a * z_mean[:, 0]
    rows = [np.stack([a.real, -a.imag, b.real], axis=-1), np.stack([a.imag, a.real, b.imag], axis=-1)]
    return np.stack(rows, axis=1)


def align(pixels: np.ndarray, landmarks: np.ndarray, size: int) -> np.ndarray:
    """Faces turned and scaled so that their five points lie on ArcFace's: uint8 [n, size, size, 3].

    The points are rounded to sixteenths of a pixel, for the same reason as in ``Margins.square``.

    Args:
        pixels: uint8 [H, W, 3].
        landmarks: the five points, float [n, 5, 2], as in ``Detections``.
        size: pixels a side of a crop.
    """
    image = Image.fromarray(pixels)
    crops = np.empty((len(landmarks), size, size, 3), np.uint8)
    # Both count from the centre of a pixel; Pillow's coordinates count from its corner.
    matrices = similarity(np.round(landmarks * 16) / 16 + 0.5, (ARCFACE_POINTS + 0.5) * (size / 112))
    for crop, matrix in zip(crops, matrices, strict=True):
        crop[:] = np.asarray(_warp(image, matrix, size))
    return crops


def _warp(image: Image.Image, matrix: np.ndarray, size: int) -> Image.Image:
    linear, shift = matrix[:, :2], matrix[:, 2]
    scale = float(np.sqrt(abs(np.linalg.det(linear))))
    if scale < 1e-6:  # five points in one place
        return Image.new("RGB", (size, size), NEUTRAL)
    # Bilinear sampling takes four pixels: a face much larger than the crop is averaged down first.
    factor = max(1, int(0.75 / scale))
    if factor > 1:
        image = image.reduce(factor)
    inverse = np.linalg.inv(linear * factor)
    offset = -inverse @ shift
    data = (*inverse[0], offset[0], *inverse[1], offset[1])
    return image.transform((size, size), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR, fillcolor=NEUTRAL)
