from .alignment import Margins, align, crop_boxes
from .detections import Detections, FaceFilter
from .facenet import load_facenet
from .head_pose import head_directions
from .mtcnn import Detector, by_image
from .portraits import portrait

__all__ = [
    "Detections",
    "Detector",
    "FaceFilter",
    "Margins",
    "align",
    "by_image",
    "crop_boxes",
    "head_directions",
    "load_facenet",
    "portrait",
]
