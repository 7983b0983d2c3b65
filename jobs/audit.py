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

from face0.audit import Reference
from face0.audit_measures import Effort
from face0.audit_report import write_audit
from face0.face_bank import read_bank, write_bank
from face0.face_space import FaceSpace
from face0.label_files import read_labels
from face0.manifests import read_prompts
from face0.results import open_results
from face0.storage import absolute, join
from face0.sweeps import audit_manifest, filled, occupations
from jobs.options import at_least, numbers, pick_device, report
from jobs.options.rendering import add_rendering, plan_rendering
from jobs.options.settings import add_settings, settings_of
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
    add("--draw-seed", type=int, default=0, metavar="S", help="of them (%(default)s)")
    add("--seeds", type=at_least(1), default=1, metavar="K", help="images of each prompt and face (%(default)s)")
    add("--grid", type=numbers(2), action="append", default=[], metavar="C,A",
        help="guidance of the arms with a face, in place of --guidance; may be repeated")  # fmt: skip
    add("--labels", metavar="FILE", help="Parquet or CSV with face_id and group of faces of --label-faces")
    add("--label-faces", metavar="BANK", help="labelled faces, which a probe learns the groups from")
    add("--resamples", type=at_least(99), default=Effort.resamples, metavar="N", help="of the bootstrap (%(default)s)")
    add("--permutations", type=at_least(99), default=Effort.permutations, metavar="N", help="of tests (%(default)s)")
    add("--output", required=True, metavar="URI", help="folder for renders and report")
    add_settings(parser)
    add_rendering(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs the job; returns its exit code."""
    beam, rest = split_options(argv)
    parser = arguments()
    args = parser.parse_args(rest)
    if not args.embedder and not args.judge:
        parser.error("give --embedder or --judge, or both: without one no face can be measured")
    if (args.labels is None) != (args.label_faces is None):
        parser.error("--labels and --label-faces go together")
    output = absolute(args.output)
    labels = read_labels(args.labels, args.label_faces) if args.labels else None
    space, faces = FaceSpace.load(args.space), join(output, "faces.parquet")
    write_bank(faces, space.faces(args.draw_seed, args.random + 1, args.space), space.record.dim, space.record.embedder)
    bank = read_bank(faces)
    fixed, *random = bank.faces  # in this order, so that a sweep that grows keeps the fixed face
    manifest = audit_manifest(_prompts(args), random, fixed, args.seeds, settings_of(args), args.grid)
    rendering = plan_rendering(args, manifest, bank, join(output, "renders"), beam)
    success = rendering.run()
    code = report(join(args.output, "renders"), success, args.max_failures, lambda ledger: ledger.of_requests)
    if success is None:
        return code
    config = rendering.load.config
    write_audit(
        output,
        open_results(join(output, "renders")),
        bank=bank,
        reference=Reference(name="the faces that the space was fitted to", vectors=space.parameters["sample"]),
        identity=config.embedder.load(pick_device(args.device)).identity if config.embedder else None,
        labels=labels,
        effort=Effort(resamples=args.resamples, permutations=args.permutations),
    )
    print(f"look at {join(args.output, 'report.html')}")
    return code


def _prompts(args: argparse.Namespace) -> list[str]:
    if args.prompts:
        return read_prompts(args.prompts)
    return filled(args.template, read_prompts(args.words) if args.words else occupations())
