"""What do the words alone do to the faces? Renders paired arms of the same prompts and seeds, and measures them.

  face0 audit --model model --space space --prompts prompts.txt --random 20 --judge onnx:arcface.onnx --output out
  face0 audit --model model --space space --template "A stock photo of {x}" --random 20 --embedder vggface2 --output out
  open out/report.html

The arms: `base`, the base model's own text states; `zero`, slots without a face; `random`, a face for each image, drawn
from the space; `fixed`, one face for all. What is measured, and what it cannot show: docs/audit.md. Run the same
command again to go on after an interruption; Beam's options are taken too.

exit codes: 0 done; 1 more requests failed than --max-failures allows, or the run broke off; 2 wrong usage or
configuration
"""

import argparse
from collections.abc import Sequence

from face0.evaluation.audit.analysis import Reference
from face0.evaluation.audit.by_prompt import Resampling
from face0.evaluation.audit.labels import read_labels
from face0.evaluation.audit.manifest import audit_manifest, filled, occupations
from face0.faces.space import FaceSpace
from face0.generation.prompts import read_prompts
from face0.io.storage import absolute, join
from face0.reports.audit.page import write_audit
from face0.reports.pages import PAGE
from jobs.options import at_least, numbers
from jobs.options.settings import settings_of
from jobs.options.sweep import add_sweep, check_sweep, drawn, run_sweep
from pipelines.options import split_options


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = argparse.ArgumentParser(
        "face0 audit", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
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
    beam, rest = split_options(argv)
    parser = arguments()
    args = parser.parse_args(rest)
    check_sweep(parser, args)
    if (args.groups is None) != (args.group_faces is None):
        parser.error("--groups and --group-faces go together")
    labels = read_labels(args.groups, args.group_faces) if args.groups else None
    space = FaceSpace.load(args.space)
    bank = drawn(args, space, args.random + 1)
    fixed, *random = bank.faces  # in this order, so that a sweep that grows keeps the fixed face
    manifest = audit_manifest(_prompts(args), random, fixed, args.seeds, settings_of(args), args.grid)
    code, sweep = run_sweep(args, manifest, bank, beam)
    if sweep is None:
        return code
    write_audit(
        absolute(args.output),
        sweep.renders,
        bank=bank,
        reference=Reference(name="the faces that the space was fitted to", vectors=space.parameters["sample"]),
        identity=sweep.identity,
        labels=labels,
        effort=Resampling(resamples=args.resamples, permutations=args.permutations),
    )
    print(f"look at {join(args.output, PAGE)}")
    return code


def _prompts(args: argparse.Namespace) -> list[str]:
    if args.prompts:
        return read_prompts(args.prompts)
    return filled(args.template, read_prompts(args.words) if args.words else occupations())
