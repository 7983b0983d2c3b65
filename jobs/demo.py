"""Walks the whole loop, offline, on a few pictures that come with the installed packages.

  face0 demo --output demo-output

Photographs (and four rows that are broken) become shards, a tiny base model is trained on them for some steps, faces
are put into a bank, images are rendered, and two reports are written. Each command is printed as it would be typed in
the folder. The model is tiny and starts from random weights, as the embedder does: the images are coloured noise.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from face0 import reports
from face0.demo import PHOTOGRAPHS, SCENES, write_people, write_tar
from face0.errors import UsageError
from jobs.options.parser import job_parser

# What is typed in the demo's folder; the embedder's weights are random, as the model's are.
COMMANDS = """
augment photos.tar --embedder random:0 --max-failures 100% --output shards
init --preset tiny --output base
train --shards shards --base base --output model --steps 20 --batch 8 --resolution 64 --holdout 4 --holdout-similarity 1
faces from-photos people --embedder random:0 --output bank.parquet
faces fit shards --output space
manifest --prompts scenes.txt --faces bank.parquet --seeds 2 --steps 8 --output manifest.parquet
generate manifest.parquet --faces bank.parquet --model model --embedder random:0 --output renders
characters --faces bank.parquet --scenes scenes.txt --model model --embedder random:0 --steps 8 --output characters
audit --space space --prompts scenes.txt --random 4 --model model --embedder random:0 --steps 8 --output audit
"""

MADE_HERE = "photos.tar"  # a folder that holds it is a demo's


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = job_parser("demo", __doc__)
    parser.add_argument("--output", type=Path, default=Path("demo-output"), metavar="DIR", help="folder (%(default)s)")
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs the demo; returns its exit code."""
    args = arguments().parse_args(argv)
    output = args.output
    started = time.monotonic()
    _start_anew(output)
    write_tar(output / MADE_HERE)
    write_people(output / "people")
    (output / "scenes.txt").write_text("\n".join(SCENES) + "\n")
    for command in COMMANDS.strip().splitlines():
        print(f"\n$ face0 {command}", flush=True)
        words = [*command.split(), "--permissions", args.permissions]
        run = subprocess.run([sys.executable, "-m", "jobs.main", *words], cwd=output, check=False)
        if run.returncode:
            print(f"the demo ends here: exit code {run.returncode}", file=sys.stderr)
            return run.returncode
    show(output)
    print(f"{time.monotonic() - started:.0f} seconds")
    return 0


def _start_anew(output: Path) -> None:
    """Empties the folder of an earlier demo. Raises UsageError if it holds anything else."""
    if output.is_dir() and any(output.iterdir()) and not (output / MADE_HERE).is_file():
        raise UsageError(f"--output {output} holds other things than a demo: give a new folder")
    for name in ("shards", "people", "base", "model", "space", "renders", "characters", "audit"):
        shutil.rmtree(output / name, ignore_errors=True)
    output.mkdir(parents=True, exist_ok=True)


def show(output: Path) -> None:
    """Draws the shard, and says where things are."""
    (shard,) = (output / "shards" / "shards").glob("*.parquet")
    sheet = output / "contact_sheet.png"
    reports.contact_sheet(pq.read_table(shard).slice(0, len(PHOTOGRAPHS)).to_pylist()).save(sheet)
    print(f"\nfaces found   {sheet}")
    for name in ("shards", "model", "renders", "characters", "audit"):
        print(f"{name:<13} {output / name / reports.PAGE}")
    print(
        "A tiny model of random weights draws no faces: these pages show what there is to see, not what it looks like."
    )
