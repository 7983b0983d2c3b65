"""Makes faces as vectors: banks of them (Parquet), and the space that random ones are drawn from.

  face0 faces from-photos people --embedder vggface2 --output bank.parquet    a file or a sub-folder for each person
  face0 faces from-shards shards --key 000000042 --output bank.parquet        faces of training images
  face0 faces from-results renders --request 3f9a... --output bank.parquet    faces of generated images
  face0 faces fit shards --output space                                       what the faces of a corpus look like
  face0 faces sample space --n 100 --seed 0 --output bank.parquet             faces that are nobody's
  face0 faces mix bank.parquet --from anna --to bert --output mixed.parquet
  face0 faces direction bank.parquet --from plain --to moustache --face anna --strength 0.5 1 --output moved.parquet
  face0 faces noise bank.parquet --face anna --sigma 0.2 --count 8 --output varied.parquet

A bank says of each face how it was made and from what. fit takes Beam's options too (--runner, ...).

exit codes: 0 done; 1 no face has a vector, or the run broke off; 2 wrong usage or configuration
"""

import argparse
from collections.abc import Sequence

from jobs.faces import edits, fit, from_photos, from_results, from_shards, sample
from jobs.options.parser import add_permissions, job_parser
from pipelines.flags import split_flags


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = job_parser("faces", __doc__)
    ways = parser.add_subparsers(dest="way", required=True, metavar="WAY")
    for command in (from_photos, from_shards, from_results, fit, sample, edits):
        command.add_to(ways)
    for way in ways.choices.values():
        add_permissions(way)
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs the job; returns its exit code."""
    flags, rest = split_flags(argv) if list(argv[:1]) == ["fit"] else ([], list(argv))
    args = arguments().parse_args(rest)
    args.flags = flags
    code: int = args.run(args)
    return code
