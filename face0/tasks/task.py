"""Tasks: what they are, and which of them are left."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from face0.errors import UsageError
from face0.io.json import to_json_values
from face0.io.secrets import public, public_values
from schemas.failures import Reason
from schemas.job import TaskStats

# Of inputs that may have been mended since: what of them is read may be other rows now.
_UNREAD = frozenset((Reason.UNREADABLE_INPUT, Reason.MALFORMED))
_MENDED = _UNREAD | {Reason.NOT_ALLOWED}  # or links that lead on

# Fields that tell a version of an input from another, the surest first.
_OF_VERSION = ("sha256", "version")


class Task(Protocol):
    """What one element of the pipeline is to do: a small frozen dataclass of JSON values."""

    @property
    def uri(self) -> str:
        """The input that it reads, or a part of which it reads."""

    @property
    def task_id(self) -> str:
        """A name made of the task's content alone; output files are named after it."""


@dataclass(frozen=True, kw_only=True)
class TaskRun:
    """One task to run: whole, or just some of its failed rows, merged with the others.

    Attributes:
        task: a ``Task``.
        retry: reasons for which rows failed that are to run again; empty: the whole task runs.
    """

    task: Any
    retry: tuple[Reason, ...] = ()


def select(
    planned: Sequence[Task], committed: Mapping[str, TaskStats], retry: Collection[Reason] = ()
) -> tuple[list[TaskRun], list[TaskStats]]:
    """What is left to do: the tasks to run, in the order of the plan, and the commits to take back first.

    An input that could not be read may have been mended: with ``unreadable_input`` or ``malformed`` in ``retry`` its
    tasks run whole, and commits that no longer fit the mended file go. So do, with ``not_allowed``, those of a link
    that leads on now.

    Raises:
        UsageError: an input has changed since a task of it was committed.
    """
    runs = []
    for task in planned:
        stats = committed.get(task.task_id)
        reasons = tuple(reason for reason in retry if stats and stats.reasons.get(reason))
        if stats is None or not _UNREAD.isdisjoint(reasons):
            runs.append(TaskRun(task=task))
        elif not _is_same(public_values(stats.task), to_json_values(task)):
            raise input_changed(stats)
        elif reasons:
            runs.append(TaskRun(task=task, retry=reasons))
    ids = {task.task_id for task in planned}
    uris = {public(task.uri) for task in planned}
    stale = [stats for stats in committed.values() if stats.task_id not in ids and public(stats.task["uri"]) in uris]
    for stats in stale:
        if public_values(stats.task) != stats.task:
            continue  # of an earlier version, which kept passwords and made task ids of them: it is done anew, without
        if not any(reason in retry and stats.reasons.get(reason) for reason in _MENDED):
            raise input_changed(stats)
    return runs, stale


def _is_same(committed: Mapping[str, Any], planned: Mapping[str, Any]) -> bool:
    """Whether a task is what was committed: a version of Face0 may know fields of it that another does not.

    Bytes go before the words of a file system.
    """
    if any(committed[name] != planned[name] for name in (committed.keys() & planned.keys()) - {*_OF_VERSION}):
        return False
    known = (name for name in _OF_VERSION if committed.get(name) and planned.get(name))
    return all(committed[name] == planned[name] for name in islice(known, 1))


def input_changed(stats: TaskStats) -> UsageError:
    """The error of an input that is not what a committed task has read."""
    more = " (or --retry-failed not_allowed, if more of it is allowed now)"
    return UsageError(
        f"{public(stats.task['uri'])} has changed since its task {stats.task_id} was committed: "
        f"restore it, or give another --output{more if stats.reasons.get(Reason.NOT_ALLOWED) else ''}"
    )
