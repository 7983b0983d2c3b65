"""The options of the image of a row, and of the faces that are kept of it."""

import argparse

from face0.augmentation.config import AugmentConfig
from face0.detection.detections import FaceFilter
from face0.detection.limits import PYRAMID_MAX_SIDE
from jobs.options.deny import add_deny
from jobs.options.embedder import add_face_filter
from jobs.options.values import at_least, between


def add_images(group: argparse._ArgumentGroup) -> None:
    """Adds the options of images."""
    group.add_argument("--resolution", type=between(1, PYRAMID_MAX_SIDE), default=AugmentConfig.resolution,
        metavar="PX", help="side of the training image: a square centre crop, never enlarged, at most "
        f"{PYRAMID_MAX_SIDE} (%(default)s)")  # fmt: skip
    group.add_argument("--max-pixels", type=at_least(1), default=AugmentConfig.max_pixels, metavar="N",
        help="largest image that is decoded, in pixels (%(default)s)")  # fmt: skip
    group.add_argument("--max-bytes", type=at_least(1), default=AugmentConfig.max_bytes, metavar="N",
        help="largest image file (%(default)s)")  # fmt: skip


def add_faces(group: argparse._ArgumentGroup) -> None:
    """Adds the options of faces."""
    add_face_filter(group)
    group.add_argument("--max-faces", type=at_least(1), default=FaceFilter.max_faces, metavar="N",
        help="faces kept of one image, the largest (%(default)s)")  # fmt: skip
    group.add_argument("--pad", type=between(0, 2, float), default=0.0, metavar="SHARE",
        help="search images in which no face was found again, in a grey frame of this share of their side: finds "
        "faces that fill the picture; costs a second search of each image without a face (%(default)s)")  # fmt: skip
    group.add_argument("--keep-faceless", action="store_true", help="write images without a face too")
    add_deny(group, "people to leave out: an image with a face like one of this bank fails as `denied`")
