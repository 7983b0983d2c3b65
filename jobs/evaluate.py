"""Measures of a trained model, and of what it rendered.

  face0 evaluate conditioning --model MODEL --shards OUT     does the face matter?
  face0 evaluate paper RENDERS                               the paper's tables, of an output of face0 generate

conditioning: the noise-prediction loss of the rows that training held out, with their true face, with another
one's, and with none, all at the same noise and times; and the paired differences with 95 % bootstrap intervals.
Above zero means that the model does better for knowing the true face.

paper: the CLIP alignment of images with text and face, their sum, and the best of each face's and prompt's seeds; a
table for each label of the manifest, the mean and the standard deviation over identities.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from face0 import embedders, generation, model, runtime, shards, training
from face0.errors import UsageError
from face0.evaluation.paper_tables import COLUMNS, REQUEST_COLUMNS, MissingFace, as_text, paper_tables
from face0.io.json import write_json
from jobs.options.parser import add_permissions, job_parser
from jobs.options.shards import add_embedder_from
from jobs.options.values import at_least

VERSION = 1  # of the figures of conditioning as JSON


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = job_parser("evaluate", __doc__)
    measures = parser.add_subparsers(dest="measure", required=True, metavar="MEASURE")
    command = measures.add_parser("conditioning", help="does the face matter?", allow_abbrev=False)
    command.set_defaults(measured=conditioning)
    add = command.add_argument
    add("--model", required=True, metavar="DIR", help="output of face0 train")
    add("--shards", action="append", required=True, metavar="URI", help="what it was trained on; may be repeated")
    add_embedder_from(command)
    add("--repeats", type=at_least(1), default=16, metavar="N", help="noises and times for each row (%(default)s)")
    add("--seed", type=int, default=0, help="of noise and times (%(default)s)")
    add("--device", default="auto", help="auto, cpu or cuda (%(default)s)")
    add("--json", metavar="FILE", help="write the figures there too")
    command = measures.add_parser("paper", help="the paper's tables of text and face alignment", allow_abbrev=False)
    command.set_defaults(measured=paper)
    add = command.add_argument
    add("results", metavar="RENDERS", help="output of face0 generate --clip")
    add(
        "--missing-face",
        choices=[*MissingFace],
        default=MissingFace.ZERO,
        help="an image in which no face is found counts 0 as face alignment, as in the paper, or not (%(default)s)",
    )
    add("--json", metavar="FILE", help="write the figures there too")
    for command in measures.choices.values():
        add_permissions(command)
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs the job; returns its exit code."""
    args = arguments().parse_args(argv)
    figures, text = args.measured(args)
    print(text)
    if args.json:
        write_json(args.json, figures)
    return 0


def paper(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The paper's tables, as JSON values and in words."""
    renders = generation.open_results(args.results)
    asked = generation.read_asked(renders, REQUEST_COLUMNS) if generation.request_files(renders.folder) else None
    tables = paper_tables(renders.table(COLUMNS), MissingFace(args.missing_face), asked)
    return tables.to_dict(), as_text(tables)


def conditioning(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The losses with and without the true face, as JSON values and in words."""
    device = runtime.pick_device(args.device)
    with model.local_model(args.model) as folder:
        lineage = model.Lineage.read(folder, f"--model {args.model}")
        pipe = model.Face0Pipeline.from_pretrained(folder, local_files_only=True, use_safetensors=True).to(device)
    data = shards.FaceShards(
        args.shards,
        rows=shards.RowFilter(**lineage.rows),
        holdout=shards.Holdout(**lineage.holdout),
        embedder_from=args.embedder_from,
    )
    embedders.refuse_other_embedder(
        f"--model {args.model}", lineage.embedder, ", ".join(args.shards), data.embedder, "give the training's shards"
    )
    if data.fingerprint != lineage.fingerprint:
        raise UsageError(
            f"{', '.join(args.shards)} are not the shards of the training ({', '.join(lineage.shards)}): "
            "rows that it learnt could be among those that are held out of these"
        )
    config = lineage.config
    batch = data.held_out(resolution=config["resolution"], slots=config["slots"])
    if len(batch.keys) < 2:
        raise UsageError(f"only {len(batch.keys)} rows are held out: train with --holdout 100 or more")
    losses = training.compare_faces(pipe, batch, args.repeats, args.seed)
    figures = {
        "version": VERSION,
        "step": lineage.step,
        "samples": len(losses["true"]),
        "repeats": args.repeats,
        "loss": {name: float(loss.mean()) for name, loss in losses.items()},
        "difference": {
            name: asdict(training.difference(loss, losses["true"])) for name, loss in losses.items() if name != "true"
        },
    }
    lines = [
        f"{figures['samples']} held-out rows, {args.repeats} noises and times each, step {lineage.step:,}",
        f"{'face':<10}{'loss':>10}{'more than true':>18}{'95 % interval':>24}",
    ]
    for name, loss in figures["loss"].items():
        line = f"{name:<10}{loss:>10.5f}"
        if difference := figures["difference"].get(name):
            line += f"{difference['mean']:>18.5f}{difference['low']:>14.5f} .. {difference['high']:.5f}"
        lines.append(line)
    return figures, "\n".join(lines)
