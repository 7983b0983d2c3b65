"""face0 faces from-photos: faces of photographs."""

import argparse
from collections.abc import Iterator

import numpy as np

from face0 import faces, runtime
from face0.augmentation.config import AugmentConfig
from face0.detection.detections import FaceFilter
from face0.detection.limits import PYRAMID_MAX_SIDE
from jobs.faces.writing import write
from jobs.options.embedder import add_embedder_details, add_face_filter, embedder_of
from jobs.options.parser import Commands
from jobs.options.values import at_least, between

MOST_COMPARED = 256  # faces whose vectors are compared to see whether strangers are told apart
MOST_COUNTED = 100  # faces of a photograph that are counted to say how many there are


def add_to(ways: Commands) -> None:
    """Adds the command."""
    parser = ways.add_parser("from-photos", help="faces of photographs", allow_abbrev=False)
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("photos", metavar="DIR", help="each image is a face, and each sub-folder is one with several photographs")
    add(
        "--embedder",
        required=True,
        metavar="SPEC",
        help="vggface2, casia, onnx:URI, a preset as sface:URI, or random:SEED (for tests)",
    )
    add("--output", required=True, metavar="BANK.parquet", help="the bank to write")
    add_face_filter(parser)
    add("--resolution", type=between(1, PYRAMID_MAX_SIDE), default=AugmentConfig.resolution, metavar="PX",
        help="side of the square that is looked at, at most, as of the shards (%(default)s)")  # fmt: skip
    add_embedder_details(parser)
    add("--device", default="auto", help="auto, cpu or cuda (%(default)s)")
    add("--threads", type=at_least(1), metavar="N", help="CPU threads")


def run(args: argparse.Namespace) -> int:
    """Writes the bank; returns the exit code."""
    photographs = faces.photographs_by_person(args.photos)
    config = embedder_of(args)
    device = runtime.pick_device(args.device)
    embedder = config.load(device)
    face_filter = FaceFilter(min_face=args.min_face, min_score=args.min_score, max_faces=MOST_COUNTED)
    reader = faces.FaceReader(embedder, face_filter, args.resolution, device)
    bank = faces.from_photographs(photographs, reader, runtime.threads_per_process(args.threads))
    vectors: dict[str, np.ndarray] = {}

    def kept() -> "Iterator[faces.BankFace]":
        for face in bank:
            if face.vector is not None and len(vectors) < MOST_COMPARED:
                vectors[face.face_id] = face.vector
            yield face

    code = write(args.output, kept(), embedder.dim, config.metadata(), len(photographs))
    faces.warn_of_alike(config, faces.PhotographSample.of_vectors(vectors))
    return code
