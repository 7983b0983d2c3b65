"""face0 faces fit: the face space of a corpus."""

import argparse
import sys

import pipelines
from face0 import faces, shards
from face0.errors import UsageError
from face0.faces.corpus import CORPUS_COLUMNS
from face0.faces.space import FEW
from face0.io.storage import absolute
from jobs.options.parser import Commands
from jobs.options.shards import SHARDS, add_embedder_from
from jobs.options.values import at_least


def add_to(ways: Commands) -> None:
    """Adds the command."""
    parser = ways.add_parser("fit", help="fits the face space of face shards", allow_abbrev=False)
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("shards", nargs="+", metavar="SHARDS", help=SHARDS)
    add_embedder_from(parser)
    add("--output", required=True, metavar="SPACE", help="folder")
    add("--sample", type=at_least(FEW), default=20_000, metavar="N",
        help="faces that the mixture is fitted to, and draws are checked against (%(default)s)")  # fmt: skip
    add("--dims", type=at_least(1), default=64, metavar="N",
        help="principal components that the mixture is over (%(default)s)")  # fmt: skip
    add("--gaussians", type=at_least(1), default=32, metavar="N", help="of the mixture, at most (%(default)s)")
    add("--seed", type=int, default=0, help="of the mixture's start (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Fits and saves the space; returns the exit code."""
    options = pipelines.pipeline_options(args.flags)
    opened = shards.open_shards(args.shards, args.embedder_from)
    shards.require_columns(opened, CORPUS_COLUMNS)
    output = absolute(args.output)
    if (rows := sum(shard.file.rows for shard in opened)) < FEW:
        raise UsageError(f"{', '.join(args.shards)}: {rows} rows make no face space, give {FEW} or more")
    fit_and_save = pipelines.FitAndSave(
        uris=[absolute(uri) for uri in args.shards],
        embedder=opened[0].embedder,
        output=output,
        dims=args.dims,
        gaussians=args.gaussians,
        seed=args.seed,
    )
    pipelines.fit_face_space(opened, args.sample, fit_and_save, options)
    record = faces.FaceSpace.load(output).record
    print(
        f"{args.output}: {record.faces:,} faces of {record.rows:,} rows, {record.gaussians} Gaussians over "
        f"{record.dims} of {record.dim} dimensions; a draw is too near to a face from a cosine of {record.too_near:.3f}"
    )
    for warning in record.warnings:
        print(f"note: {warning}", file=sys.stderr)
    return 0
