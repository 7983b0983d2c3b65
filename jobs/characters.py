"""Characters that stay themselves: renders faces in scenes, and says of each whether it is the same one in all.

  face0 characters --model model --faces bank.parquet --scenes scenes.txt --judge onnx:arcface.onnx --output out
  face0 characters --model model --random 20 --space space --scenes scenes.txt --embedder vggface2 --output out
  open out/report.html

The images are compared by the model's own embedder (--embedder) and by an independent one (--judge), which is the one
to go by. Run the same command again to go on after an interruption; Beam's options are taken too.

exit codes: 0 done; 1 more requests failed than --max-failures allows, or the run broke off; 2 wrong usage or
configuration; 130, 143 stopped by Ctrl-C, SIGTERM
"""

import argparse
from collections.abc import Sequence
from pathlib import PurePosixPath

import pipelines
from face0 import faces, generation, reports
from face0.augmentation.config import AugmentConfig
from face0.detection.detections import FaceFilter
from face0.errors import UsageError
from face0.evaluation import characters
from face0.evaluation.encoders import CONDITIONING, JUDGE
from face0.io.secrets import public
from face0.io.storage import absolute, join
from jobs.options.parser import job_parser
from jobs.options.settings import settings_of
from jobs.options.sweep import add_sweep, check_sweep, drawn
from jobs.options.values import at_least
from jobs.sweeps import render_sweep
from pipelines.flags import split_flags


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = job_parser("characters", __doc__)
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
    flags, rest = split_flags(argv)
    args = arguments().parse_args(rest)
    if (args.random is None) != (args.space is None):
        raise UsageError("--random and --space go together: give both, or neither")
    check_sweep(args)
    bank = drawn(args, faces.FaceSpace.load(args.space), args.random) if args.random else faces.read_bank(args.faces)
    names, _ = bank.vectors()
    scenes = generation.read_prompts(args.scenes)
    manifest = generation.cross(scenes, names, range(args.seeds), settings_of(args))
    output = absolute(args.output)
    code, sweep = render_sweep(args, manifest, bank, flags, drawn=bool(args.random))
    if sweep.success is None:
        return code
    real = _real(args.photos, sweep) if args.photos else []
    reports.write_characters(output, sweep.results(), real=real, weights=args.weights)
    print(f"look at {join(args.output, reports.PAGE)}")
    return code


def _real(folder: str, sweep: "pipelines.Sweep") -> "list[characters.RealPairs]":
    photographs, name = faces.photographs_by_person(folder), PurePosixPath(public(folder)).name
    pairs = []
    for encoder, config in ((JUDGE, sweep.config.judge), (CONDITIONING, sweep.config.embedder)):
        if config is not None:
            reader = faces.FaceReader(config.load(sweep.device), FaceFilter(), AugmentConfig.resolution, sweep.device)
            pairs.append(characters.pairs_of_people(photographs, reader, encoder, name, sweep.threads))
    return pairs
