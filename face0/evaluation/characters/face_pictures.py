"""The faces of results as small pictures, to see whether one is pasted into every scene."""

import io

import numpy as np
import pyarrow as pa
from PIL import Image

PICTURE_SIDE = 16  # of a picture
MIN_FACE_SIDE = 12  # pixels of a face's shorter side in its thumbnail; a smaller one shows too little


def face_pictures(results: pa.Table) -> np.ndarray:
    """The largest face of each image, cut from its thumbnail: float32 [n, PICTURE_SIDE ** 2].

    NaN where there is none.


    Grey, less its mean, at length 1, so that the product of two is the correlation of their pixels. Whatever keeps its
    pose, light and expression is about 1; a person who turns the head is not.

    Args:
        results: thumbnail, box, width and height.
    """
    pictures = np.full((results.num_rows, PICTURE_SIDE * PICTURE_SIDE), np.nan, np.float32)
    rows = zip(*(results[name].to_pylist() for name in ("thumbnail", "box", "width", "height")), strict=True)
    for i, (thumbnail, box, width, height) in enumerate(rows):
        if thumbnail is None or box is None:
            continue
        image = Image.open(io.BytesIO(thumbnail)).convert("L")
        across, down = image.width / width, image.height / height
        x0, y0, x1, y1 = box
        x0, x1, y0, y1 = max(x0, 0) * across, min(x1, width) * across, max(y0, 0) * down, min(y1, height) * down
        if min(x1 - x0, y1 - y0) < MIN_FACE_SIDE:
            continue
        small = image.resize((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.BILINEAR, box=(x0, y0, x1, y1))
        values = np.asarray(small, np.float32).ravel()
        values = values - values.mean()
        if length := np.linalg.norm(values):
            pictures[i] = values / length
    return pictures
