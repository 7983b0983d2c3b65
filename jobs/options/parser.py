"""The parser that every job begins with, and what options are added to."""

import argparse
from collections.abc import Sequence
from typing import Any, Protocol

from face0.io.permissions import Permissions


class Options(Protocol):
    """A parser, or a group of its options."""

    def add_argument(self, *names: str, **settings: Any) -> Any:
        """Adds an option, as argparse has it."""


class Commands(Protocol):
    """The commands of a job that has several."""

    def add_parser(self, name: str, **settings: Any) -> argparse.ArgumentParser:
        """Adds a command, as argparse has it."""


def job_parser(job: str, doc: str | None) -> argparse.ArgumentParser:
    """A parser that shows the job's docstring as it stands, and takes no shortened options."""
    parser = argparse.ArgumentParser(
        f"face0 {job}", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add_permissions(parser)
    return parser


def add_permissions(parser: Options) -> None:
    """Adds the option that ``permissions_of`` reads."""
    parser.add_argument(
        "--permissions",
        type=Permissions,
        choices=[*Permissions],
        default=Permissions.PRIVATE,
        help="of new files and folders on local disks: private (0600 and 0700), or what the umask leaves (%(default)s)",
    )


def permissions_of(arguments: Sequence[str]) -> Permissions:
    """What the arguments of any job say of permissions, before the job itself is imported and parses them."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--permissions", nargs="?")
    asked = parser.parse_known_args(arguments)[0].permissions
    return Permissions(asked) if asked in [*Permissions] else Permissions.PRIVATE  # the job's parser will refuse it
