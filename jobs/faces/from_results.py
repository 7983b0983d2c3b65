"""face0 faces from-results: faces of generated images."""

import argparse

from face0 import generation
from face0.errors import UsageError
from jobs.faces.writing import write
from jobs.options.parser import Commands


def add_to(ways: Commands) -> None:
    """Adds the command."""
    parser = ways.add_parser("from-results", help="faces of generated images", allow_abbrev=False)
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("results", metavar="RENDERS", help="output of face0 generate")
    add("--request", action="append", required=True, metavar="ID", help="of an image; may be repeated")
    add("--output", required=True, metavar="BANK.parquet", help="the bank to write")


def run(args: argparse.Namespace) -> int:
    """Writes the bank; returns the exit code."""
    results = generation.open_results(args.results)
    bank = generation.of_results(results, args.request)
    dims = {len(face.vector) for face in bank if face.vector is not None}
    if not dims:
        raise UsageError(f"no face was found in any of these images of {args.results}: choose others")
    return write(args.output, bank, dims.pop(), results.job.config["embedder"])
