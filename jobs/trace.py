"""Tells what something was made from, and what was made of it.

  face0 trace anna.jpg --in shards --in people.parquet --in renders     a photograph: its rows, faces and images
  face0 trace 3f9a0c... --in shards --in people.parquet --in renders    an image: its face, and the photographs of that

ID is a photograph's file name, its key in the shards or its SHA-256; a face_id; or the request_id or the file name of
an image. Places are outputs of face0 augment and face0 generate, and banks.
"""

import argparse
from collections.abc import Sequence

from face0 import privacy
from face0.io.json import write_json
from jobs.options.parser import job_parser
from jobs.options.places import add_places


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = job_parser("trace", __doc__)
    add = parser.add_argument
    add("id", metavar="ID", help="of a photograph, a face or an image")
    add_places(parser)
    add("--json", metavar="FILE", help="write the answer there too")
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs the job; returns its exit code."""
    args = arguments().parse_args(argv)
    answer = privacy.trace(args.id, privacy.classify(args.places))
    print(answer.as_text())
    if args.json:
        write_json(args.json, answer.to_dict())
    return 0
