"""Renders the images of a manifest: prompt x face x seed, with measures and a report.

  face0 generate manifest.parquet --faces bank.parquet --model model --output renders
  open renders/report.html

Run the same command again to go on after an interruption. A manifest that has grown renders what is new; no request is
rendered twice. Beam's options are taken too (--runner, --direct_running_mode, --direct_num_workers, ...).

exit codes: 0 done; 1 more requests failed than --max-failures allows, or the run broke off; 2 wrong usage or
configuration
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from face0.denial import refuse_other_embedder
from face0.face_bank import FaceBank, read_bank
from face0.generate import GenerateConfig
from face0.manifests import read_manifest
from face0.model_folder import ModelFolder, inspect_model
from face0.report import write_report
from face0.request_plan import join_requests
from face0.storage import absolute, join
from face0.work import as_json
from jobs.options import reason, report
from jobs.options.rendering import add_rendering, denied_faces, generate_config, load_generator
from pipelines.generation import Generation
from pipelines.options import pipeline_options, processes_per_machine, split_options


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = argparse.ArgumentParser(
        "face0 generate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("manifest", metavar="MANIFEST", help="of face0 manifest, or Parquet, CSV or JSONL of your own")
    add("--faces", metavar="BANK", help="bank of the manifest's faces")
    add("--output", required=True, metavar="URI", help="folder for images, results, failures and report")
    add("--retry-failed", action="append", default=[], metavar="REASON", type=reason,
        help="run again just the requests that failed for this reason, and merge; may be repeated")  # fmt: skip
    add("--dry-run", action="store_true", help="plan; print what would be rendered")
    add_rendering(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs the job; returns its exit code."""
    beam, rest = split_options(argv)
    args = arguments().parse_args(rest)
    options = pipeline_options(beam)
    output = absolute(args.output)
    manifest = read_manifest(args.manifest)
    model = inspect_model(args.model)
    config = generate_config(args, model)
    bank = read_bank(args.faces) if args.faces else FaceBank(faces={}, dim=model.facts.dim, embedder=model.embedder)
    refuse_other_embedder(f"--faces {args.faces}", bank.embedder, f"--model {args.model}", model.embedder)
    denied = denied_faces(args, bank, config)
    requests, repeated = join_requests(manifest, bank, model.facts, config.needs_portraits, denied)
    if repeated:
        print(
            f"{manifest.num_rows - len(requests):,} rows ask for an image twice; each is rendered once", file=sys.stderr
        )
    generation = Generation.plan(output, requests, recorded(config, model), args.requests_per_task, args.retry_failed)
    if args.dry_run:
        print(generation.summary)
        return 0
    success = generation.run(load_generator(args, config, processes_per_machine(options)), options)
    if success is not None:
        write_report(output)
        if cut := success.totals.get("prompts cut"):
            print(f"{cut:,} images have prompts that are too long before the face's slots: see tokens_lost in results/",
                  file=sys.stderr)  # fmt: skip
    code = report(args.output, success, args.max_failures, lambda ledger: ledger.of_requests)
    print(f"look at {join(args.output, 'report.html')}")
    return code


def recorded(config: GenerateConfig, model: ModelFolder) -> dict[str, Any]:
    """What job.json says, and what a job that goes on must have alike. The model may have moved."""
    return {
        **as_json(config),
        "model": {"base": model.base, "step": model.step},
        "embedder": dict(model.embedder) if config.embedder else None,
    }
