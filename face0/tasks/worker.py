"""Who does tasks, and how one is done."""

from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Protocol

from face0.tasks.attempt import Attempt, SetAside
from face0.tasks.outcomes import Noted, write_outcomes
from face0.tasks.output_folder import OutputFolder
from face0.tasks.task import TaskRun
from face0.tasks.task_output import TableWriter, TaskOutput
from schemas.job import TaskStats


class Worker(Protocol):
    """Does the rows of tasks. Holds what is expensive to load (models), once per process."""

    def rows(self, run: TaskRun, folder: OutputFolder) -> Iterable[Any]:
        """The rows of a task, in an order that every attempt has alike; as ``Noted`` where there is to say of many."""

    def process(self, rows: Iterator[Any], run: TaskRun, folder: OutputFolder) -> Iterator[Any]:
        """The outcomes of rows, one of each, in order; see ``write_outcomes``. Failures and outcomes pass through."""

    def fail(self, run: TaskRun, row: Any, aside: SetAside) -> Any:
        """The failure of a row that is set aside; of None: that of the rest of the input."""

    def table(self, output: TaskOutput) -> TableWriter:
        """Starts the table of the rows that come out."""

    def verify(self, run: TaskRun) -> None:
        """Looks, before the commit, whether the task's input is still what was planned. Raises if not."""


def run_task(worker: Worker, run: TaskRun, folder: OutputFolder, attempt: Attempt | None = None) -> TaskStats | None:
    """Does one task and commits it through ``folder.commit``. Returns its stats; of a probe None."""
    attempt = attempt or Attempt()
    rows = worker.rows(run, folder)
    outcomes = attempt.outcomes(rows, partial(worker.process, run=run, folder=folder), partial(worker.fail, run))
    if attempt.probe is not None:
        deque(outcomes, maxlen=0)
        return None
    with folder.commit(run.task) as output:
        write_outcomes(outcomes, worker.table(output), output)
        output.notes.update(rows.notes if isinstance(rows, Noted) else {})
        worker.verify(run)
    return folder.stats(run.task.task_id)
