"""The parser that every job begins with, and what options are added to."""

import argparse
from typing import Any, Protocol


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
    return argparse.ArgumentParser(
        f"face0 {job}", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
