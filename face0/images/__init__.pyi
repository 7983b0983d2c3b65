from .decoding import BadImage, DecodedImage, decode
from .formats import IMAGE_EXTENSIONS
from .headers import Header, sniff
from .training_image import TrainingImage, to_training_image

__all__ = [
    "IMAGE_EXTENSIONS",
    "BadImage",
    "DecodedImage",
    "Header",
    "TrainingImage",
    "decode",
    "sniff",
    "to_training_image",
]
