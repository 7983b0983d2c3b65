"""Finds and embeds the faces of captioned images, and writes them as Parquet shards.

  face0 augment 'photos/*.tar' --embedder vggface2 --output gs://bucket/shards

Inputs are URIs or patterns: webdataset / img2dataset tars, Parquet with images, folders with captions beside the
images or in a metadata file, and lists (Parquet, CSV, JSONL) of image URIs. Run the same command again to go on after
an interruption. Beam's options are taken too (--runner, --direct_running_mode, --direct_num_workers, ...).

exit codes: 0 done; 1 more rows failed than --max-failures allows, an input could not be read to its end, or the run
broke off; 2 wrong usage or configuration; 130, 143 stopped by Ctrl-C, SIGTERM
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pipelines
from face0 import augmentation, detection, faces, readers, runtime, tasks
from face0.augmentation.config import ROW_SECONDS, AugmentConfig
from face0.detection.detections import FaceFilter
from face0.detection.limits import PYRAMID_MAX_SIDE
from face0.io.json import to_json_values
from face0.io.storage import absolute, spelt_alike
from face0.readers.further_columns import parse_names
from face0.readers.samples import Columns
from jobs.options.deny import add_deny, check_deny
from jobs.options.embedder import add_embedder_details, add_face_filter, embedder_of
from jobs.options.parser import job_parser
from jobs.options.values import at_least, between, encoding, ending, failure_budget, header_value, names, reason
from jobs.options.workers import add_workers
from jobs.outcome import report
from pipelines.flags import split_flags

_COLUMNS = {
    "image": "column of images",
    "caption": "column of captions, or the key of a JSON file's caption",
    "url": "column of URIs, whose images are fetched",
    "key": "column that names the rows",
}


def arguments() -> argparse.ArgumentParser:
    """The options of this job."""
    parser = job_parser("augment", __doc__)
    add = parser.add_argument
    add("inputs", nargs="+", metavar="INPUT", help="URI or quoted pattern of images with captions")
    add("--output", required=True, metavar="URI", help="folder for shards, failures and stats")
    add(
        "--embedder",
        required=True,
        metavar="SPEC",
        help="vggface2, casia, onnx:URI, a preset as sface:URI, or random:SEED (for tests)",
    )
    add("--retry-failed", action="append", default=[], metavar="REASON", type=reason,
        help="run again just the rows that failed for this reason, and merge; may be repeated")  # fmt: skip
    add("--max-failures", type=failure_budget, default="1%", metavar="N|P%", help="failed rows allowed (%(default)s)")
    add("--allow", action="append", default=[], metavar="PROTOCOL|PREFIX",
        help="what lists, and links in folders, may name beside public web addresses and files below their own folder: "
        "s3, s3://bucket/photos/, file:///data/photos/, http://127.0.0.1:8000/, http://10.0.0.0/8; may be repeated",
    )  # fmt: skip
    add("--dry-run", action="store_true", help="plan and try a few rows; print what would be read, written and taken")

    images = parser.add_argument_group("images")
    images.add_argument("--resolution", type=between(1, PYRAMID_MAX_SIDE), default=AugmentConfig.resolution,
        metavar="PX", help="side of the training image: a square centre crop, never enlarged, at most "
        f"{PYRAMID_MAX_SIDE} (%(default)s)")  # fmt: skip
    images.add_argument("--max-pixels", type=at_least(1), default=AugmentConfig.max_pixels, metavar="N",
        help="largest image that is decoded, in pixels (%(default)s)")  # fmt: skip
    images.add_argument("--max-bytes", type=at_least(1), default=AugmentConfig.max_bytes, metavar="N",
        help="largest image file (%(default)s)")  # fmt: skip

    group = parser.add_argument_group("faces")
    add_face_filter(group)
    group.add_argument("--max-faces", type=at_least(1), default=FaceFilter.max_faces, metavar="N",
        help="faces kept of one image, the largest (%(default)s)")  # fmt: skip
    group.add_argument("--pad", type=between(0, 2, float), default=0.0, metavar="SHARE",
        help="search images in which no face was found again, in a grey frame of this share of their side: finds "
        "faces that fill the picture; costs a second search of each image without a face (%(default)s)")  # fmt: skip
    group.add_argument("--keep-faceless", action="store_true", help="write images without a face too")
    add_deny(group, "people to leave out: an image with a face like one of this bank fails as `denied`")

    add_embedder_details(parser)

    columns = parser.add_argument_group("columns, where their names do not tell")
    for name in _COLUMNS:
        columns.add_argument(f"--{name}-column", metavar="NAME", help=_COLUMNS[name])
    columns.add_argument("--columns", type=names, metavar="NAME,NAME,...",
        help="columns of CSV and TSV files without a header, in their order: caption,url")  # fmt: skip
    columns.add_argument("--encoding", type=encoding, metavar="NAME",
        help="of captions and lists that are not UTF-8, UTF-16 or UTF-32: cp1252, shift_jis, gb18030, ...")  # fmt: skip

    more = parser.add_argument_group("further columns, or fields of the JSON beside an image")
    more.add_argument("--where", metavar="CONDITION", 
        help="rows that are wanted, as \"aesthetic >= 5.5 and punsafe < 0.5\"; the others "
        "are neither fetched nor decoded, and counted as filtered")  # fmt: skip
    more.add_argument("--keep-columns", type=lambda text: text.split(","), default=[], metavar="NAME[:TYPE],...",
        help="that come along into the shards; TYPE is string, int64, double or bool, and taken from the first rows "
        "where it is not given")  # fmt: skip
    beside = parser.add_argument_group("files beside images, in folders and tars")
    beside.add_argument("--caption-ending", type=ending, metavar="ENDING",
        help="of the files that hold the captions, as txt or blip.txt (.txt, .caption, ... and .json are known)",
    )  # fmt: skip
    beside.add_argument("--image-member", type=ending, metavar="ENDING",
        help="of the image that is read where several have one key, as png or seg.png (the first by name)",
    )  # fmt: skip

    running = parser.add_argument_group("running")
    running.add_argument("--rows-per-task", type=at_least(1), default=10_000, metavar="N",
        help="cut Parquet files, lists and folders into tasks of about so many rows (%(default)s)")  # fmt: skip
    running.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (%(default)s)")
    running.add_argument("--threads", type=at_least(1), metavar="N", help="CPU threads of each worker process")
    add_workers(running, f"{ROW_SECONDS:g} beside what the fetch of its image may take")
    running.add_argument("--fetch-timeout", type=at_least(0.1, float), default=30.0, metavar="S",
        help="seconds for one image of a list (%(default)s)")  # fmt: skip
    running.add_argument("--fetch-retries", type=at_least(0), default=2, metavar="N", 
        help="tries of an image after the first (%(default)s)")  # fmt: skip
    running.add_argument("--fetch-concurrency", type=at_least(1), default=16, metavar="N",
        help="images of a list fetched at once by a worker (%(default)s)")  # fmt: skip
    running.add_argument("--user-agent", type=header_value, default=readers.Fetcher.user_agent, metavar="TEXT",
        help="who is asking, as web servers are told; some, as Wikimedia, ask for a contact: "
        "'my-data-set/1.0 (https://example.org/; me@example.org)' (%(default)s)")  # fmt: skip
    running.add_argument("--ignore-robots-tag", action="store_true",
        help="fetch images too whose server says X-Robots-Tag: noai or noimageai; else they fail as `opted_out`",
    )  # fmt: skip
    return parser


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
    fetcher = readers.Fetcher(
        timeout=args.fetch_timeout,
        retries=args.fetch_retries,
        max_bytes=args.max_bytes,
        concurrency=args.fetch_concurrency,
        # No part of the configuration: what a run may read is no more a property of its output than credentials are.
        access=readers.Access.of(args.allow),
        user_agent=args.user_agent,
        obeys_robots_tag=not args.ignore_robots_tag,
    )
    folder = tasks.OutputFolder(absolute(args.output))
    planned = readers.plan(args.inputs, config.reading, args.rows_per_task, fetcher.access, folder.uri)
    if config.reading.also:
        config = replace(config, keep=augmentation.kept_types(keep, planned, config.reading, fetcher.access) or None)
    load = pipelines.LoadAugmenter(
        config=config,
        fetcher=fetcher,
        device=args.device,
        threads=runtime.threads_per_process(args.threads, max(processes, 1)),
    )
    job = pipelines.Job(
        name="augment",
        config={"inputs": spelt_alike(args.inputs), "rows_per_task": args.rows_per_task, **to_json_values(config)},
        planned=planned,
        folder=folder,
        seen=folder.stats_versions(),
    )
    runs, stale = job.left(folder.intact(), args.retry_failed)
    if args.dry_run:
        print(augmentation.survey(planned, runs, args.output, load()))
        return 0
    if config.deny and runs and not args.mostly_theirs:
        augmentation.refuse_strangers_denied(runs, replace(load, config=replace(config, deny=None))(), config.deny)
    workers = pipelines.Workers(
        load=load, processes=processes, row_seconds=args.row_timeout or ROW_SECONDS + fetcher.longest
    )
    success = job.run(runs, stale, workers, options)
    if success is not None:
        faces.warn_of_alike(config.embedder, faces.sample_output(folder))
    return report(args.output, success, args.max_failures)


def _config(args: argparse.Namespace, keep: Mapping[str, str | None]) -> AugmentConfig:
    """What decides which rows come out, but for types of columns that the inputs tell.

    Raises:
        UsageError: the options do not go together.
    """
    check_deny(args)
    embedder = embedder_of(args)
    return AugmentConfig(
        embedder=embedder,
        columns=Columns(
            image=args.image_column,
            caption=args.caption_column,
            url=args.url_column,
            key=args.key_column,
            header=args.columns,
            encoding=args.encoding,
            caption_ending=args.caption_ending,
            image_member=args.image_member,
        ),
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
