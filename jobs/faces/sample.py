"""face0 faces sample: random faces from a face space."""

import argparse
from collections.abc import Iterator

from face0 import faces
from jobs.faces.writing import write
from jobs.options.parser import Commands
from jobs.options.values import at_least


def add_to(ways: Commands) -> None:
    """Adds the command."""
    parser = ways.add_parser("sample", help="draws random faces from a face space", allow_abbrev=False)
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("space", metavar="SPACE", help="output of face0 faces fit")
    add("--n", type=at_least(1), required=True, metavar="N", help="faces")
    add("--seed", type=int, default=0, help="the same faces for the same seed, and more begin alike (%(default)s)")
    add("--output", required=True, metavar="BANK.parquet", help="the bank to write")


def run(args: argparse.Namespace) -> int:
    """Writes the bank; returns the exit code."""
    space = faces.FaceSpace.load(args.space)
    redrawn: list[int] = []

    def draws() -> "Iterator[faces.BankFace]":
        for face in space.faces(args.seed, args.n, args.space):
            redrawn.append(int(face.provenance["redrawn"]))
            yield face

    code = write(args.output, draws(), space.record.dim, space.record.embedder, args.n)
    print(f"{sum(redrawn):,} draws came too near to a face of the corpus, and were drawn again")
    return code
