"""How many rows of a job may fail before the job counts as failed."""

from dataclasses import dataclass

from schemas.failures import Reason
from schemas.job import Success

# Rows that are left out because somebody asked for it, and images that never were, are no failures of the job.
_NO_FAILURES = (Reason.DENIED, Reason.FORGOTTEN, Reason.OPTED_OUT, Reason.NOT_DOWNLOADED)


@dataclass(frozen=True)
class FailureBudget:
    """How many failed rows a job may have and still end well: a count, or a share of the rows read.

    Attributes:
        value: the count, or the share, 0..1.
        is_share: whether the value is a share.
    """

    value: float
    is_share: bool

    def allows(self, failed: int, read: int) -> bool:
        """Whether so many failures among so many rows read are within the budget."""
        return failed <= (self.value * read if self.is_share else self.value)

    def __str__(self) -> str:
        return f"{self.value:.4g}" if not self.is_share else f"{100 * self.value:.4g}%"


def unwanted_failures(success: Success) -> int:
    """Failed rows of a job, without those that somebody asked to leave out, and images that never were."""
    return success.ledger.failed - sum(success.reasons.get(reason, 0) for reason in _NO_FAILURES)
