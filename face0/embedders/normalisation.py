"""How colours are normalised for a model: ``(value / 255 - mean) / std``, in red, green and blue."""

import numpy as np

Triple = tuple[float, float, float]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF: Triple = (0.5, 0.5, 0.5)  # as mean and std: values of -1..1, as ArcFace's descendants take them
NO_MEAN: Triple = (0.0, 0.0, 0.0)
BYTES_STD: Triple = (1 / 255, 1 / 255, 1 / 255)  # with NO_MEAN: values as they are, 0..255
UNIT_STD: Triple = (1.0, 1.0, 1.0)  # with NO_MEAN: values of 0..1


def normalised(crops: np.ndarray, mean: Triple, std: Triple) -> np.ndarray:
    """Crops, uint8 [n, H, W, 3], as float32 ``(value / 255 - mean) / std``."""
    values = crops.astype(np.float32)
    if (mean, std) == (NO_MEAN, BYTES_STD):  # exactly
        return values
    return (values / 255 - np.array(mean, np.float32)) / np.array(std, np.float32)
