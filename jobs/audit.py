"""What do the words alone do to the faces? Renders paired arms of the same prompts and seeds, and measures them.

  face0 audit --model model --space space --prompts prompts.txt --random 20 --judge onnx:arcface.onnx --output out
  face0 audit --model model --space space --template "A stock photo of {x}" --random 20 --embedder vggface2 --output out
  open out/report.html

The arms: `base`, the base model's own text states; `zero`, slots without a face; `random`, a face for each image, drawn
from the space; `fixed`, one face for all. What is measured, and what it cannot show: the report says, and
docs/reference/measures.md. Run the same command again to go on after an interruption; Beam's options are taken too.

exit codes: 0 done; 1 more requests failed than --max-failures allows, or the run broke off; 2 wrong usage or
configuration; 130, 143 stopped by Ctrl-C, SIGTERM
"""

import argparse
from collections.abc import Sequence

from face0 import embedders, faces, generation, reports
from face0.errors import UsageError
from face0.evaluation import audit
from face0.evaluation.audit.effort import Resampling
from face0.io.storage import absolute, join
from jobs.options.parser import job_parser
from jobs.options.settings import settings_of
from jobs.options.sweep import add_sweep, check_sweep, drawn
from jobs.options.values import at_least, numbers
from jobs.sweeps import render_sweep
from pipelines.flags import split_flags


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = job_parser("audit", __doc__)
    add = parser.add_argument
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--prompts", metavar="FILE", help="one on each line")
    what.add_argument("--template", metavar="TEXT", help='or one prompt for many words, as "A stock photo of {x}"')
    add("--words", metavar="FILE", help="of the template, one on each line (50 occupations)")
    add("--space", required=True, metavar="SPACE", help="output of face0 faces fit, from which faces are drawn")
    add("--random", type=at_least(2), required=True, metavar="N", help="faces drawn for each prompt")
    add("--seeds", type=at_least(1), default=1, metavar="K", help="images of each prompt and face (%(default)s)")
    add("--grid", type=numbers(2), action="append", default=[], metavar="C,A",
        help="guidance of the arms with a face, in place of --guidance; may be repeated")  # fmt: skip
    add("--groups", metavar="FILE", help="Parquet or CSV with face_id and group of faces of --group-faces")
    add("--group-faces", metavar="BANK", help="labelled faces, which a probe learns the groups from")
    add(
        "--resamples",
        type=at_least(99),
        default=Resampling.resamples,
        metavar="N",
        help="of the bootstrap (%(default)s)",
    )
    add(
        "--permutations", type=at_least(99), default=Resampling.permutations, metavar="N", help="of tests (%(default)s)"
    )
    add_sweep(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs the job; returns its exit code."""
    flags, rest = split_flags(argv)
    args = arguments().parse_args(rest)
    check_sweep(args)
    if (args.groups is None) != (args.group_faces is None):
        raise UsageError("--groups and --group-faces go together: give both, or neither")
    labels = None
    if args.groups:
        labels = audit.read_labels(args.groups, faces.read_bank(args.group_faces).identified(args.weights))
    space = faces.FaceSpace.load(args.space)
    bank = drawn(args, space, args.random + 1)
    fixed, *random = bank.faces  # in this order, so that a sweep that grows keeps the fixed face
    manifest = audit.audit_manifest(_prompts(args), random, fixed, args.seeds, settings_of(args), args.grid)
    output = absolute(args.output)
    code, sweep = render_sweep(args, manifest, bank, flags, drawn=True)
    if sweep.success is None:
        return code
    reports.write_audit(
        output,
        sweep.results(),
        bank=bank,
        reference=_reference(space, args.weights) if args.embedder else None,
        labels=labels,
        effort=Resampling(resamples=args.resamples, permutations=args.permutations),
        weights=args.weights,
    )
    print(f"look at {join(args.output, reports.PAGE)}")
    return code


def _reference(space: "faces.FaceSpace", weights: str | None) -> "audit.Reference":
    identity = embedders.identity_of(space.record.embedder, weights)
    return audit.Reference(name="the faces that the space was fitted to", vectors=identity(space.parameters["sample"]))


def _prompts(args: argparse.Namespace) -> list[str]:
    if args.prompts:
        return generation.read_prompts(args.prompts)
    return audit.filled(args.template, generation.read_prompts(args.words) if args.words else audit.occupations())
