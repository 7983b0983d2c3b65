"""Finds and embeds the faces of captioned images, and writes them as Parquet shards.

  face0 augment 'photos/*.tar' --embedder vggface2 --output gs://bucket/shards

Inputs are URIs or patterns: webdataset / img2dataset tars, Parquet and Arrow with images, folders with captions beside
the images or in a metadata file, and lists (Parquet, CSV, TSV, JSONL) of image URIs. Run the same command again to go
on after an interruption. Beam's options are taken too (--runner, --direct_running_mode, --direct_num_workers, ...).

exit codes: 0 done; 1 more rows failed than --max-failures allows, an input could not be read to its end, or the run
broke off; 2 wrong usage or configuration; 130, 143 stopped by Ctrl-C, SIGTERM
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import pipelines
from face0 import augmentation, detection, faces, readers, reports, runtime, tasks
from face0.augmentation.config import ROW_SECONDS, AugmentConfig
from face0.detection.detections import FaceFilter
from face0.io.json import to_json_values
from face0.io.storage import absolute, join, spelt_alike
from face0.readers.further_columns import parse_names
from jobs.options.deny import check_deny
from jobs.options.embedder import add_embedder_details, embedder_of
from jobs.options.fetching import add_allow, add_fetching, fetcher_of
from jobs.options.images import add_faces, add_images
from jobs.options.inputs import add_columns, columns_of
from jobs.options.parser import job_parser
from jobs.options.values import at_least, failure_budget, reason
from jobs.options.workers import add_workers
from jobs.outcome import report
from pipelines.flags import split_flags


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = job_parser("augment", __doc__)
    add = parser.add_argument
    add("inputs", nargs="+", metavar="INPUT", help="URI or quoted pattern of images with captions")
    add("--output", required=True, metavar="URI", help="folder for shards, failures and stats")
    add("--embedder", required=True, metavar="SPEC",
        help="vggface2, casia, onnx:URI, a preset as sface:URI, or random:SEED (for tests)")  # fmt: skip
    add("--retry-failed", action="append", default=[], metavar="REASON", type=reason,
        help="run again just the rows that failed for this reason, and merge; may be repeated")  # fmt: skip
    add("--max-failures", type=failure_budget, default="1%", metavar="N|P%", help="failed rows allowed (%(default)s)")
    add_allow(parser)
    add("--dry-run", action="store_true", help="plan and try a few rows; print what would be read, written and taken")
    add_images(parser.add_argument_group("images"))
    add_faces(parser.add_argument_group("faces"))
    add_embedder_details(parser)
    add_columns(parser)
    _add_running(parser.add_argument_group("running"))
    return parser


def _add_running(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--rows-per-task", type=at_least(1), default=10_000, metavar="N",
        help="cut Parquet files, lists and folders into tasks of about so many rows (%(default)s)")  # fmt: skip
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (%(default)s)")
    group.add_argument("--threads", type=at_least(1), metavar="N", help="CPU threads of each worker process")
    add_workers(group, f"{ROW_SECONDS:g} beside what the fetch of its image may take")
    add_fetching(group)


def main(argv: Sequence[str]) -> int:
    """Runs the job; returns its exit code."""
    flags, rest = split_flags(argv)
    args = arguments().parse_args(rest)
    options = pipelines.pipeline_options(flags)
    pipelines.check_device(args.device, options)
    detection.load_facenet()  # before the job begins
    keep = parse_names(args.keep_columns)
    config = _config(args, keep)
    processes = pipelines.worker_processes(options, args.worker_processes)
    fetcher = fetcher_of(args)
    folder = tasks.OutputFolder(absolute(args.output))
    planned = readers.plan(args.inputs, config.reading, args.rows_per_task, fetcher.access, folder.uri)
    if config.reading.also:
        config = replace(config, keep=augmentation.kept_types(keep, planned, config.reading, fetcher.access) or None)
    job = _job(args, config, planned, folder)
    runs, stale = job.left(folder.intact(), args.retry_failed)
    threads = runtime.threads_per_process(args.threads, max(processes, 1))
    load = pipelines.LoadAugmenter(config=config, fetcher=fetcher, device=args.device, threads=threads)
    if args.dry_run:
        print(augmentation.survey(planned, runs, args.output, load()))
        return 0
    if config.deny and runs and not args.mostly_theirs:
        augmentation.refuse_strangers_denied(runs, replace(load, config=replace(config, deny=None))(), config.deny)
    row_seconds = args.row_timeout or ROW_SECONDS + fetcher.longest
    workers = pipelines.Workers(load=load, processes=processes, row_seconds=row_seconds)
    pictures = reports.FailedPictures(
        planned=planned, columns=config.reading, fetcher=fetcher, max_pixels=config.max_pixels
    )
    success = job.run(
        runs, stale, workers, options, finish=partial(reports.write_augmentation, failed_pictures=pictures)
    )
    if success is not None:
        faces.warn_of_alike(config.embedder, faces.sample_output(folder))
    code = report(args.output, success, args.max_failures)
    print(f"look at {join(args.output, reports.PAGE)}")
    return code


def _config(args: argparse.Namespace, keep: Mapping[str, str | None]) -> AugmentConfig:
    """What decides which rows come out, but for types of columns that the inputs tell.

    Raises:
        UsageError: the options do not go together.
    """
    check_deny(args)
    embedder = embedder_of(args)
    return AugmentConfig(
        embedder=embedder,
        columns=columns_of(args),
        faces=FaceFilter(min_face=args.min_face, min_score=args.min_score, max_faces=args.max_faces),
        resolution=args.resolution,
        max_pixels=args.max_pixels,
        max_bytes=args.max_bytes,
        keep_faceless=args.keep_faceless,
        pad=args.pad,
        deny=faces.read_deny(args.deny, args.deny_threshold, embedder.metadata()) if args.deny else None,
        keep={name: kind or "string" for name, kind in keep.items()} or None,
        where=args.where,
    )


def _job(
    args: argparse.Namespace, config: AugmentConfig, planned: "Sequence[readers.Split]", folder: "tasks.OutputFolder"
) -> "pipelines.Job":
    """The job with all that determines its output."""
    return pipelines.Job(
        name="augment",
        config={"inputs": spelt_alike(args.inputs), "rows_per_task": args.rows_per_task, **to_json_values(config)},
        planned=planned,
        folder=folder,
        seen=folder.stats_versions(),
    )
