"""Characters that stay themselves: renders faces in scenes, and says of each whether it is the same one in all.

  face0 characters --model model --faces bank.parquet --scenes scenes.txt --judge onnx:arcface.onnx --output out
  face0 characters --model model --random 20 --space space --scenes scenes.txt --embedder vggface2 --output out
  open out/report.html

The images are compared by the model's own embedder (--embedder) and by an independent one (--judge), which is the one
to go by. Run the same command again to go on after an interruption; Beam's options are taken too.

exit codes: 0 done; 1 more requests failed than --max-failures allows, or the run broke off; 2 wrong usage or
configuration
"""

import argparse
from collections.abc import Sequence
from pathlib import PurePosixPath

from face0.detection.detections import FaceFilter
from face0.evaluation.characters.real_pairs import real_pairs
from face0.evaluation.characters.verdicts import RealPairs
from face0.evaluation.encoders import CONDITIONING, JUDGE
from face0.faces.bank import read_bank
from face0.faces.photographs import FaceReader, photographs_by_person
from face0.faces.space import FaceSpace
from face0.generation.manifest import cross
from face0.generation.prompts import read_prompts
from face0.io.storage import absolute, join
from face0.reports.characters import write_characters
from face0.reports.pages import PAGE
from jobs.options import at_least
from jobs.options.settings import settings_of
from jobs.options.sweep import Sweep, add_sweep, check_sweep, drawn, run_sweep
from pipelines.options import split_options


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = argparse.ArgumentParser(
        "face0 characters",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--faces", metavar="BANK", help="the characters: all faces of a bank")
    whose.add_argument("--random", type=at_least(2), metavar="N", help="or so many that are nobody's, from --space")
    add("--space", metavar="SPACE", help="output of face0 faces fit")
    add("--scenes", required=True, metavar="FILE", help="prompts, one on each line")
    add("--seeds", type=at_least(1), default=2, metavar="K", help="images of each character and scene (%(default)s)")
    add(
        "--photos",
        metavar="DIR",
        help="a sub-folder of photographs for each of some real people: how alike they are",
    )
    add_sweep(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs the job; returns its exit code."""
    beam, rest = split_options(argv)
    parser = arguments()
    args = parser.parse_args(rest)
    if (args.random is None) != (args.space is None):
        parser.error("--random and --space go together")
    check_sweep(parser, args)
    bank = drawn(args, FaceSpace.load(args.space), args.random) if args.random else read_bank(args.faces)
    names, _ = bank.vectors()
    manifest = cross(read_prompts(args.scenes), names, range(args.seeds), settings_of(args))
    code, sweep = run_sweep(args, manifest, bank, beam)
    if sweep is None:
        return code
    real = _real(args.photos, sweep) if args.photos else []
    write_characters(absolute(args.output), sweep.renders, identity=sweep.identity, real=real)
    print(f"look at {join(args.output, PAGE)}")
    return code


def _real(folder: str, sweep: Sweep) -> list[RealPairs]:
    photographs, name, pairs = photographs_by_person(folder), PurePosixPath(folder).name, []
    for encoder, config in ((JUDGE, sweep.config.judge), (CONDITIONING, sweep.config.embedder)):
        if config is not None:
            embedder = config.load(sweep.device)
            read = FaceReader(embedder, FaceFilter(), 512, sweep.device)
            pairs.append(real_pairs(photographs, read, embedder.identity, encoder, name, sweep.threads))
    return pairs
