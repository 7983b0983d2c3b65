from .decoding import BadImage, DecodedImage, decode, decode_opened
from .formats import IMAGE_EXTENSIONS
from .headers import Header, sniff
from .training_image import Square, TrainingImage, centre_square, to_training_image

__all__ = [
    "IMAGE_EXTENSIONS",
    "BadImage",
    "DecodedImage",
    "Header",
    "Square",
    "TrainingImage",
    "centre_square",
    "decode",
    "decode_opened",
    "sniff",
    "to_training_image",
]
