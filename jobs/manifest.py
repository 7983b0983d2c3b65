"""Writes a manifest: every prompt with every face of a bank and every seed.

  face0 manifest --prompts prompts.txt --faces bank.parquet --seeds 4 --guidance photo --output manifest.parquet

The prompts are the lines of a text file, or the column `prompt` of a Parquet, CSV, TSV or JSONL file. A manifest may
just as well be written by hand or by another program (Parquet, CSV, JSONL): `prompt` is its only column that must be
there. docs/reference/manifest.md has the others.
"""

import argparse
import sys
from collections.abc import Sequence

import pyarrow.parquet as pq

from face0 import faces, generation
from face0.io.folder import Folder
from jobs.options.parser import job_parser
from jobs.options.settings import add_settings, settings_of
from jobs.options.values import at_least

NAMED = 5  # faces left out that are named


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = job_parser("manifest", __doc__)
    add = parser.add_argument
    add("--prompts", required=True, metavar="FILE", help="text file with a prompt on each line, or a table")
    add("--faces", metavar="BANK", help="bank of face0 faces; without one the images have no face")
    add("--seeds", type=at_least(1), default=1, metavar="N", help="images of each prompt and face (%(default)s)")
    add("--first-seed", type=at_least(0), default=0, metavar="S", help="the first of the N (%(default)s)")
    add("--output", required=True, metavar="M.parquet", help="the manifest")
    add("--label", default="", help="of your own, for all rows; it comes back in the results")
    add_settings(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs the job; returns its exit code."""
    args = arguments().parse_args(argv)
    prompts = generation.read_prompts(args.prompts)
    face_ids = [""]
    if args.faces:
        bank = faces.read_bank(args.faces)
        face_ids, _ = bank.vectors()
        without = [face for face in bank.faces.values() if face.vector is None]
        for face in without[:NAMED]:
            print(f"left out, for it has no vector: {face.face_id} ({face.note})", file=sys.stderr)
        if len(without) > NAMED:
            print(f"left out: {len(without) - NAMED:,} more", file=sys.stderr)
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    table = generation.cross(prompts, face_ids, seeds, {**settings_of(args), "label": args.label})
    folder, name = Folder.of_file(args.output)
    with folder.write(name) as file:
        pq.write_table(table, file, compression="zstd")
    of_faces = f"{len(face_ids):,} faces" if args.faces else "no face"
    print(f"{args.output}: {table.num_rows:,} images of {len(prompts):,} prompts x {of_faces} x {args.seeds:,} seeds")
    return 0
