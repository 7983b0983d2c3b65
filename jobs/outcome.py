"""The last word of a job that ran tasks: where every row went, where the output is, and the exit code."""

import sys
from collections.abc import Callable

from face0.tasks.failure_budget import FailureBudget, unwanted_failures
from schemas.failures import Reason
from schemas.job import Ledger, Success


def report(output: str, success: Success | None, budget: FailureBudget, account: Callable[[Ledger], str] = str) -> int:
    """Prints where every row went (as ``account`` puts it) and where the output is; returns the exit code."""
    if success is None:
        print(f"not finished: tasks are missing in {output}; the same command goes on with them", file=sys.stderr)
        return 1
    print(account(success.ledger))
    for name, count in success.reasons.items():
        print(f"  {name}: {count:,}")
    for note, count in success.notes.items():
        print(f"{count:,} {note}", file=sys.stderr)
    print(f"{output}: {', '.join(f'{count:,} {name}' for name, count in success.totals.items())}")
    if lost := success.reasons.get(Reason.UNREADABLE_INPUT):
        print(
            f"{lost:,} inputs could not be read to their end, and nobody can tell how many rows were lost: see "
            f"{output}/failures/, and --retry-failed {Reason.UNREADABLE_INPUT} once they can",
            file=sys.stderr,
        )
        return 1
    if success.reasons.get(Reason.NOT_ALLOWED):
        print(f"what was not allowed is in {output}/failures/, with the --allow that permits it", file=sys.stderr)
    if unread := success.reasons.get(Reason.BAD_ENCODING):
        print(
            f"{unread:,} captions or rows are not UTF-8: --encoding names what they are (cp1252, shift_jis, ...), "
            "with another --output",
            file=sys.stderr,
        )
    failed = unwanted_failures(success)
    if budget.allows(failed, success.ledger.read - success.ledger.filtered):
        return 0
    print(
        f"{failed:,} rows failed, more than --max-failures {budget}: see {output}/failures/, "
        "and --retry-failed REASON for those that may pass now",
        file=sys.stderr,
    )
    return 1


def report_requests(output: str, success: Success | None, budget: FailureBudget) -> int:
    """Reports on a job that renders, whose ledger is of requests."""
    return report(output, success, budget, lambda ledger: ledger.of_requests)
