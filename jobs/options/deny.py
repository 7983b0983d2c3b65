"""The options that say who must not be there."""

import argparse

from face0.errors import UsageError
from jobs.options.parser import Options
from jobs.options.values import between


def add_deny(group: Options, what: str) -> None:
    """Adds the options; ``what`` says whom or what the bank keeps out."""
    group.add_argument("--deny", metavar="BANK", help=what)
    group.add_argument("--deny-threshold", type=between(0, 1, float), metavar="T",
        help="cosine of identity vectors from which two faces count as one person's, see docs/how-to/deny-people.md",
    )  # fmt: skip
    group.add_argument("--mostly-theirs", action="store_true",
        help="most faces are those of the people in the bank: take the threshold though most pass it")  # fmt: skip


def check_deny(args: argparse.Namespace) -> None:
    """Raises UsageError if one of the two is given without the other."""
    if (args.deny is None) != (args.deny_threshold is None):
        raise UsageError("--deny and --deny-threshold go together: give both, or neither")
