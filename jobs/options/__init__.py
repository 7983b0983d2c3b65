"""What the command lines of several jobs share: kinds of values, and the last word of a run."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import torch

from face0.errors import UsageError
from face0.tasks.output_folder import Success
from schemas.failures import Reason
from schemas.job import Ledger

# Rows that are left out because somebody asked for it are no failures of the job.
ON_PURPOSE = (Reason.DENIED, Reason.FORGOTTEN)


@dataclass(frozen=True)
class FailureBudget:
    """How many failed rows a job may have and still end well: a count, or a share of the rows read."""

    value: float
    is_share: bool

    def allows(self, failed: int, read: int) -> bool:
        """Whether so many failures are within it."""
        return failed <= (self.value * read if self.is_share else self.value)

    def __str__(self) -> str:
        return f"{self.value:.4g}" if not self.is_share else f"{100 * self.value:.4g}%"


def failure_budget(text: str) -> FailureBudget:
    """Parses ``100`` or ``1%``."""
    share = text.endswith("%")
    value = float(text.removesuffix("%"))
    if not value >= 0 or (share and value > 100):
        raise argparse.ArgumentTypeError(f"{text!r} is not a count, or a share from 0% to 100%")
    return FailureBudget(value / 100 if share else value, share)


def at_least(low: float, kind: Callable[[str], float] = int) -> Callable[[str], float]:
    """A parser of numbers that refuses those below ``low``."""
    return between(low, float("inf"), kind)


def between(low: float, high: float, kind: Callable[[str], float] = int) -> Callable[[str], float]:
    """A parser of numbers that refuses those below ``low`` and above ``high``."""

    def parse(text: str) -> float:
        value = kind(text)
        if not value >= low:
            raise argparse.ArgumentTypeError(f"{text} is below {low:g}")
        if value > high:
            raise argparse.ArgumentTypeError(f"{text} is above {high:g}")
        return value

    return parse


def reason(text: str) -> Reason:
    """Parses a failure reason."""
    if text not in list(Reason):
        raise argparse.ArgumentTypeError(f"no reason {text!r}: give one of {', '.join(Reason)}")
    return Reason(text)


def numbers(count: int) -> Callable[[str], tuple[float, ...]]:
    """A parser of so many numbers with commas between them."""

    def parse(text: str) -> tuple[float, ...]:
        values = tuple(float(part) for part in text.split(","))
        if len(values) != count:
            raise argparse.ArgumentTypeError(f"{text!r} is not {count} numbers with commas between them")
        return values

    return parse


def pick_device(name: str) -> str:
    """The torch device for ``auto`` (a GPU if there is one), or the one that was named. Raises UsageError."""
    there = torch.cuda.is_available()
    if name.startswith("cuda") and not there:
        raise UsageError(f"--device {name}: torch finds no GPU here; give --device auto or cpu")
    return ("cuda" if there else "cpu") if name == "auto" else name


def threads_per_process(asked: int | None, processes: int) -> int:
    """Threads for each of so many worker processes of one machine, so that together they fill its cores once."""
    return asked or max(1, len(os.sched_getaffinity(0)) // processes)


def report(output: str, success: Success | None, budget: FailureBudget, account: Callable[[Ledger], str] = str) -> int:
    """Prints where every row went (as ``account`` puts it) and where the output is; returns the exit code."""
    if success is None:
        print(f"not finished: tasks are missing in {output}; the same command goes on with them", file=sys.stderr)
        return 1
    print(account(success.ledger))
    for name, count in success.reasons.items():
        print(f"  {name}: {count:,}")
    print(f"{output}: {', '.join(f'{count:,} {name}' for name, count in success.totals.items())}")
    if lost := success.reasons.get(Reason.UNREADABLE_INPUT):
        print(
            f"{lost:,} inputs could not be read to their end, and nobody can tell how many rows were lost: see "
            f"{output}/failures/, and --retry-failed {Reason.UNREADABLE_INPUT} once they can",
            file=sys.stderr,
        )
        return 1
    failed = success.ledger.failed - sum(success.reasons.get(reason, 0) for reason in ON_PURPOSE)
    if budget.allows(failed, success.ledger.read):
        return 0
    print(
        f"{failed:,} rows failed, more than --max-failures {budget}: see {output}/failures/, "
        "and --retry-failed REASON for those that may pass now",
        file=sys.stderr,
    )
    return 1
