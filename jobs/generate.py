"""Renders the images of a manifest: prompt x face x seed, with measures and a report.

  face0 generate manifest.parquet --faces bank.parquet --model model --output renders
  open renders/report.html

Run the same command again to go on after an interruption. A manifest that has grown renders what is new; no request is
rendered twice. Beam's options are taken too (--runner, --direct_running_mode, --direct_num_workers, ...).

exit codes: 0 done; 1 more requests failed than --max-failures allows, or the run broke off; 2 wrong usage or
configuration; 130, 143 stopped by Ctrl-C, SIGTERM
"""

import argparse
from collections.abc import Sequence

import pipelines
from face0 import faces, generation, reports
from face0.io.storage import absolute, join
from jobs.options.parser import job_parser
from jobs.options.rendering import add_rendering, render_options
from jobs.options.values import reason
from jobs.outcome import report_requests
from pipelines.flags import split_flags


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = job_parser("generate", __doc__)
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
    flags, rest = split_flags(argv)
    args = arguments().parse_args(rest)
    rendering = pipelines.plan_rendering(
        generation.read_manifest(args.manifest),
        faces.read_bank(args.faces) if args.faces else None,
        absolute(args.output),
        render_options(args),
        flags,
        args.retry_failed,
    )
    if args.dry_run:
        print(rendering.generation.summary)
        return 0
    success = rendering.run()
    code = report_requests(args.output, success, args.max_failures)
    if success is not None and success.ledger.written:
        print(f"look at {join(args.output, reports.PAGE)}")
    return code
