"""face0 faces mix, direction, noise: faces made of other faces."""

import argparse
from collections.abc import Iterable

from face0 import faces
from jobs.faces.writing import write
from jobs.options.parser import Commands
from jobs.options.values import at_least


def add_to(ways: Commands) -> None:
    """Adds the commands."""
    mixed = ways.add_parser("mix", help="faces between two faces", allow_abbrev=False)
    moved = ways.add_parser("direction", help="a face moved along the difference of two", allow_abbrev=False)
    varied = ways.add_parser("noise", help="a face with noise on it", allow_abbrev=False)
    for parser, run in ((mixed, mix), (moved, direction), (varied, noise)):
        parser.set_defaults(run=run)
        parser.add_argument("banks", nargs="+", metavar="BANK", help="of the faces that are named")
        parser.add_argument("--output", required=True, metavar="BANK.parquet", help="the bank to write")
    for parser in (mixed, moved):
        parser.add_argument("--from", dest="start", required=True, metavar="ID", help="the face to begin at")
        parser.add_argument("--to", dest="end", required=True, metavar="ID", help="the face to end at")
    mixed.add_argument("--steps", type=at_least(2), default=5, metavar="N",
        help="faces, both ends among them (%(default)s)")  # fmt: skip
    mixed.add_argument("--spherical", action="store_true", help="turn from one to the other, instead of straight on")
    moved.add_argument("--face", required=True, metavar="ID", help="that is moved")
    moved.add_argument("--strength", type=float, nargs="+", default=[1.0], metavar="S",
        help="times the difference; negative: the other way (1)")  # fmt: skip
    varied.add_argument("--face", required=True, metavar="ID", help="that is varied")
    varied.add_argument("--sigma", type=at_least(0, float), required=True, metavar="S",
        help="of the noise, in units of the vector's root mean square")  # fmt: skip
    varied.add_argument("--count", type=at_least(1), default=1, metavar="N", help="faces (%(default)s)")
    varied.add_argument("--seed", type=int, default=0, help="of the first face; the next has the next (%(default)s)")


def mix(args: argparse.Namespace) -> int:
    """Writes faces between two; returns the exit code."""
    gallery = faces.Gallery(args.banks)
    return _write(args, gallery, faces.interpolate(gallery, args.start, args.end, args.steps, args.spherical))


def direction(args: argparse.Namespace) -> int:
    """Writes a face moved along a difference; returns the exit code."""
    gallery = faces.Gallery(args.banks)
    return _write(args, gallery, faces.translate(gallery, args.start, args.end, args.face, args.strength))


def noise(args: argparse.Namespace) -> int:
    """Writes a face with noise on it; returns the exit code."""
    gallery = faces.Gallery(args.banks)
    return _write(args, gallery, faces.perturb(gallery, args.face, args.sigma, args.count, args.seed))


def _write(args: argparse.Namespace, gallery: "faces.Gallery", bank: "Iterable[faces.BankFace]") -> int:
    return write(args.output, bank, gallery.dim, gallery.embedder)
