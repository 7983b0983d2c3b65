"""Tasks in processes of their own: one that dies, or does not end, takes one row with it and not the job.

A row that ends its process is found in a few tries. The first death leaves some suspects, the rows that were under way
(``Attempt``'s journal tells). A probe takes them one by one; the row that ends the process again, alone and twice, is
set aside with a reason, and the task is done without it. Twice, since a process can also be killed for no fault of the
row; once is enough where a row took longer than it may.
"""

import logging
import os
import queue
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from face0.errors import StorageError
from face0.io.permissions import Permissions, apply
from face0.runtime.child_process import ChildDiedError, ChildProcess
from face0.runtime.device_errors import is_device_failure
from face0.runtime.interruption import interruption
from face0.tasks.attempt import Attempt, Journal, Position, SetAside
from face0.tasks.output_folder import OutputFolder
from face0.tasks.task import TaskRun
from face0.tasks.worker import Worker, run_task
from schemas.failures import Reason
from schemas.job import TaskStats

logger = logging.getLogger(__name__)

IDLE_DEATHS = 20  # of one task, without a row that can be set aside for them
SET_ASIDE = 64  # rows of one task


class WorkerLoadError(StorageError):
    """A worker cannot be loaded, for something that it takes cannot be read: no task can be done."""


class WorkerDiedError(OSError):
    """A task's process died again and again, and it is not a row of the task that ended it."""


@dataclass(frozen=True, kw_only=True)
class LoadWorker:
    """Loads a worker in a process that gives these permissions.

    Attributes:
        load: makes the worker.
        permissions: of what it writes.
    """

    load: Callable[[], Worker]
    permissions: Permissions

    def __call__(self) -> Worker:
        """The worker. Raises WorkerLoadError for an OSError."""
        apply(self.permissions)
        try:
            return self.load()
        except OSError as error:
            raise WorkerLoadError(f"no worker can be loaded: {error}") from error


@dataclass(frozen=True, kw_only=True)
class LoadInProcess:
    """Loads, in the child, what the child calls.

    Attributes:
        load: makes the worker.
        journal: path of the file in which its position is noted.
    """

    load: Callable[[], Worker]
    journal: Path

    def __call__(self) -> Callable[..., Any]:
        """The worker as a function of a task and of how it is tried."""
        worker, journal = self.load(), Journal(self.journal)

        def run(run: TaskRun, folder: OutputFolder, how: dict[str, Any]) -> TaskStats | None:
            try:
                return run_task(worker, run, folder, Attempt(journal=journal, **how))
            except Exception as error:
                if is_device_failure(error):  # a new process has a chance
                    traceback.print_exc()
                    os._exit(1)
                raise

        return run


@dataclass(kw_only=True)
class _Inquiry:
    """What is known of the rows of a task whose process has died, and what to try next."""

    set_aside: dict[int, SetAside] = field(default_factory=dict)
    alone: list[range] = field(default_factory=list)
    probe: range | None = None
    strikes: Counter[int] = field(default_factory=Counter)
    idle_deaths: int = 0

    def died(self, position: Position, reason: Reason, how: str) -> None:
        """Takes note of a death. Raises WorkerDiedError if no more can be tried."""
        self.idle_deaths += 1
        culprit = position.culprit
        if position == Position():
            pass  # no row was begun, the models were being loaded: the same is tried again
        elif culprit is None:
            self.probe = position.suspects
        else:
            # Storage that is slow for once is no fault of the input.
            self.strikes[culprit] += 2 if reason is Reason.TIMED_OUT and not position.reading else 1
            stop = self.probe.stop if self.probe else culprit + 1
            if self.strikes[culprit] < 2:
                self.probe = range(culprit, stop)
            else:
                self.idle_deaths = 0
                message = f"with nothing else under way, the worker process {how}"
                rest = position.reading
                self.set_aside[culprit] = SetAside(number=culprit, reason=reason, message=message, rest=rest)
                self.probe = range(culprit + 1, stop) if culprit + 1 < stop and not rest else None
        if self.idle_deaths > IDLE_DEATHS or len(self.set_aside) > SET_ASIDE:
            raise WorkerDiedError(
                f"the worker process {how}, and did so {sum(self.strikes.values())} times before at this task, "
                f"with {len(self.set_aside)} rows set aside: is there memory enough for it?"
            )

    def passed(self) -> None:
        """Takes note of a probe that went well: its rows are not mixed with others from now on."""
        assert self.probe is not None
        self.alone.append(self.probe)
        self.probe = None


class WorkerProcesses:
    """Worker processes on this machine, each with a worker that is loaded once and does one task at a time.

    Args:
        load: makes a worker; picklable.
        processes: at most; each is started when there is work for it.
        row_seconds: that a row may take before its process is ended.
    """

    def __init__(self, load: Callable[[], Worker], processes: int, row_seconds: float) -> None:
        self._load, self._row_seconds = load, row_seconds
        self._idle: queue.LifoQueue[_Process | None] = queue.LifoQueue()
        for _ in range(processes):
            self._idle.put(None)

    def run(self, run: TaskRun, folder: OutputFolder) -> TaskStats:
        """Does a task and commits it, whatever its rows do to the process.

        Raises:
            Interrupted: this process was asked to stop; the task is not committed.
            WorkerDiedError: its process dies, and no row is the cause.
        """
        interruption.check()
        process = self._idle.get()
        inquiry = _Inquiry()
        try:
            while True:
                interruption.check()
                process = process or _Process(self._load)
                try:
                    stats = self._attempt(process, run, folder, inquiry)
                except ChildDiedError as death:
                    position = process.close()
                    process = None
                    interruption.check()  # else whoever ends this process has ended that one too
                    reason = Reason.TIMED_OUT if isinstance(death, _TimedOut) else Reason.KILLED_WORKER
                    logger.warning("%s at %s: %s", death, run.task.task_id, _where(position))
                    inquiry.died(position, reason, death.how)
                    continue
                if stats is not None:
                    return stats
                inquiry.passed()
        except BaseException:
            if process is not None and interruption.requested:
                process.terminate()
                process = None
            raise
        finally:
            self._idle.put(process)

    def close(self) -> None:
        """Ends the processes that are idle; one is started again when there is work for it."""
        idle = []
        with suppress(queue.Empty):
            while True:
                idle.append(self._idle.get_nowait())
        for process in idle:
            if process is not None:
                process.terminate()
            self._idle.put(None)

    def _attempt(self, process: "_Process", run: TaskRun, folder: OutputFolder, inquiry: _Inquiry) -> TaskStats | None:
        process.journal.note(0, 0)
        position, since = process.journal.position, time.monotonic()

        def check() -> None:
            nonlocal position, since
            if interruption.overdue:
                interruption.check()
            now = process.journal.position
            if now != position:
                position, since = now, time.monotonic()
            elif position.limited and time.monotonic() - since > self._row_seconds:
                process.child.kill()
                raise _TimedOut(f"was ended, for it stood still for {self._row_seconds:g} s")

        how = {"set_aside": inquiry.set_aside, "alone": tuple(inquiry.alone), "probe": inquiry.probe}
        stats: TaskStats | None = process.child.call(run, folder, how, check=check)
        return stats


class _TimedOut(ChildDiedError):
    """The child was ended, for it took too long."""


class _Process:
    """A child and its journal."""

    def __init__(self, load: Callable[[], Worker]) -> None:
        file, name = tempfile.mkstemp(prefix="face0-", suffix=".journal")
        os.close(file)
        self.journal = Journal.create(Path(name))
        self.child = ChildProcess(LoadInProcess(load=load, journal=Path(name)))

    def close(self) -> Position:
        """Takes away what a dead child leaves. Returns where it stood."""
        assert self.journal.path is not None
        self.journal.path.unlink(missing_ok=True)
        return self.journal.position

    def terminate(self) -> None:
        """Ends the child."""
        self.child.terminate()
        self.close()


def _where(position: Position) -> str:
    if position.culprit is not None:
        return f"row {position.culprit} was under way" + (", being read" if position.reading else "")
    return f"rows {position.done} to {position.drawn} were under way"
