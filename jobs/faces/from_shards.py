"""face0 faces from-shards: faces of rows of face shards."""

import argparse

from face0 import faces, shards
from face0.errors import UsageError
from face0.io.tables import read_text
from jobs.faces.writing import write
from jobs.options.parser import Commands
from jobs.options.shards import SHARDS, add_embedder_from


def add_to(ways: Commands) -> None:
    """Adds the command."""
    parser = ways.add_parser("from-shards", help="faces of rows of face shards", allow_abbrev=False)
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("shards", nargs="+", metavar="SHARDS", help=SHARDS)
    add_embedder_from(parser)
    add("--key", action="append", default=[], metavar="K", help="of a row; may be repeated")
    add("--keys", metavar="FILE", help="text file with a key on each line")
    add("--output", required=True, metavar="BANK.parquet", help="the bank to write")


def run(args: argparse.Namespace) -> int:
    """Writes the bank; returns the exit code."""
    keys = [*args.key, *(_lines(args.keys) if args.keys else [])]
    if not keys:
        raise UsageError("no rows are named: give --key K or --keys FILE")
    opened = shards.open_shards(args.shards, args.embedder_from)
    return write(args.output, faces.of_shards(opened, keys), opened[0].dim, opened[0].embedder)


def _lines(uri: str) -> list[str]:
    return [line.strip() for line in read_text(uri).splitlines() if line.strip()]
