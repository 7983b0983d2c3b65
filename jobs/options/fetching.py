"""The options of what inputs may name, and of how images are fetched."""

import argparse

from face0 import readers
from jobs.options.parser import Options
from jobs.options.values import at_least, header_value


def add_allow(parser: Options) -> None:
    """Adds the option of what inputs may name."""
    parser.add_argument("--allow", action="append", default=[], metavar="PROTOCOL|PREFIX",
        help="what lists, and links in folders, may name beside public web addresses and files below their own folder: "
        "s3, s3://bucket/photos/, file:///data/photos/, http://127.0.0.1:8000/, http://10.0.0.0/8; may be repeated",
    )  # fmt: skip


def add_fetching(group: Options) -> None:
    """Adds the options of how images are fetched."""
    group.add_argument("--fetch-timeout", type=at_least(0.1, float), default=30.0, metavar="S",
        help="seconds for one image of a list (%(default)s)")  # fmt: skip
    group.add_argument("--fetch-retries", type=at_least(0), default=2, metavar="N",
        help="tries of an image after the first (%(default)s)")  # fmt: skip
    group.add_argument("--fetch-concurrency", type=at_least(1), default=16, metavar="N",
        help="images of a list fetched at once by a worker (%(default)s)")  # fmt: skip
    group.add_argument("--user-agent", type=header_value, default=readers.Fetcher.user_agent, metavar="TEXT",
        help="who is asking, as web servers are told; some, as Wikimedia, ask for a contact: "
        "'my-data-set/1.0 (https://example.org/; me@example.org)' (%(default)s)")  # fmt: skip
    group.add_argument("--ignore-robots-tag", action="store_true",
        help="fetch images too whose server says X-Robots-Tag: noai or noimageai; else they fail as `opted_out`",
    )  # fmt: skip


def fetcher_of(args: argparse.Namespace) -> readers.Fetcher:
    """How images are fetched, within ``--max-bytes``.

    No part of a job's configuration: what a run may read is no more a property of its output than credentials are.

    Raises:
        UsageError: ``--allow`` names nothing that can be allowed.
    """
    return readers.Fetcher(
        timeout=args.fetch_timeout,
        retries=args.fetch_retries,
        max_bytes=args.max_bytes,
        concurrency=args.fetch_concurrency,
        access=readers.Access.of(args.allow),
        user_agent=args.user_agent,
        obeys_robots_tag=not args.ignore_robots_tag,
    )
