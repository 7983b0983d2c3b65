"""The options of jobs that render and measure a sweep."""

import argparse

from face0 import faces
from face0.errors import UsageError
from jobs.options.rendering import add_rendering
from jobs.options.settings import add_settings


def add_sweep(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add = parser.add_argument
    add("--draw-seed", type=int, default=0, metavar="S", help="of --random (%(default)s)")
    add("--output", required=True, metavar="URI", help="folder for renders and report")
    add_settings(parser)
    add_rendering(parser)


def check_sweep(args: argparse.Namespace) -> None:
    """Raises UsageError if nothing could measure the faces."""
    if not args.embedder and not args.judge:
        raise UsageError("give --embedder or --judge, or both: without one nothing can tell whose face it is")


def drawn(args: argparse.Namespace, space: "faces.FaceSpace", count: int) -> "faces.FaceBank":
    """So many faces of ``--space``, by ``--draw-seed``."""
    bank = {face.face_id: face for face in space.faces(args.draw_seed, count, args.space)}
    return faces.FaceBank(faces=bank, dim=space.record.dim, embedder=space.record.embedder).identified(args.weights)
