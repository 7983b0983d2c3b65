"""The rows that failed: of each reason how many, a few of them, and what can be shown of these."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from face0.runtime.random import permutation
from face0.tasks.output_folder import OutputFolder
from schemas.failures import Failure, Reason
from schemas.job import TaskStats

EXAMPLES = 5  # of a reason
TASKS = 4  # that are looked at for a reason
READ = 20_000  # failures of a task that are looked at
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Example:
    """A row that failed.

    Attributes:
        task_id: of its task.
        failure: what ``failures/`` has of it.
    """

    task_id: str
    failure: Failure

    @property
    def name(self) -> tuple[str, str]:
        """Its key and its source."""
        return self.failure.key, self.failure.source


@dataclass(frozen=True, kw_only=True)
class Lost:
    """The rows that failed for a reason.

    Attributes:
        reason: the code.
        count: of all.
        examples: some of them.
    """

    reason: str
    count: int
    examples: list[Example] = field(default_factory=list)


def read_lost(folder: OutputFolder, tasks: Mapping[str, TaskStats]) -> list[Lost]:
    """The failures of an output by reason, the most frequent first, each with EXAMPLES of a few tasks.

    Of rows that were removed for a person's sake there are no examples.
    """
    holding: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for task_id, stats in sorted(tasks.items()):
        for reason, count in stats.reasons.items():
            if count > 0:
                counts[reason] = counts.get(reason, 0) + count
                holding.setdefault(reason, []).append(task_id)
    lost = {
        reason: Lost(reason=reason, count=count)
        for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    }
    wanted: dict[str, set[str]] = {}
    for reason, ids in holding.items():
        if reason != Reason.FORGOTTEN:
            for place in permutation(len(ids), SEED)[:TASKS].tolist():
                wanted.setdefault(ids[place], set()).add(reason)
    for task_id, reasons in sorted(wanted.items()):
        for failure in _examples(folder, tasks[task_id], reasons):
            if len(lost[failure.reason].examples) < EXAMPLES:
                lost[failure.reason].examples.append(Example(task_id=task_id, failure=failure))
    return list(lost.values())


def _examples(folder: OutputFolder, stats: TaskStats, reasons: set[str]) -> Iterator[Failure]:
    """The first failures of a task for each of these reasons."""
    left = dict.fromkeys(reasons, EXAMPLES)
    rows = (row for batch in folder.read_table(stats, "failures") for row in batch.to_pylist())
    for row in islice(rows, READ):
        if left.get(row["reason"], 0):
            left[row["reason"]] -= 1
            yield Failure(**row)
        if not any(left.values()):
            return
