"""The unit of work: tasks that commit whole, resume where they stood, and account for every row.

An output folder holds ``job.json`` (the configuration), the data files of the tasks, ``stats/<task>.json`` (a task's
commit, written last) and ``_SUCCESS`` (written when every task is committed and the ledger balances). A reader
trusts only files that a stats file names.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from face0.errors import UsageError
from face0.io import storage
from face0.io.folder import Folder, lies_within
from face0.io.json import differences, to_json_values
from face0.io.listing import version
from face0.io.secrets import public_values
from face0.io.storage import HashingWriter
from face0.runtime.progress import tracked
from face0.runtime.versions import library_versions
from face0.tasks.data_files import data_file, task_and_revision
from face0.tasks.lease import hold
from face0.tasks.task import Task
from face0.tasks.task_output import TaskOutput
from schemas.job import BrokenRecord, JobRecord, Ledger, Success, TaskStats

logger = logging.getLogger(__name__)

JOB, SUCCESS = "job.json", "_SUCCESS"
TOLD = 5  # broken tasks that are named in the log


@dataclass(frozen=True)
class OutputFolder(Folder):
    """The output of a job at a URI.

    Attributes:
        uri: of the folder.
        launch: the one that writes here, as its lease names it; empty: a folder that is only read, or that nobody
            else can know of.
    """

    launch: str = ""

    @property
    def job(self) -> JobRecord | None:
        """What ``job.json`` says; None if no job has begun here. Raises UsageError if it is broken."""
        if not self.exists(JOB):
            return None
        try:
            return JobRecord.from_json(self.read(JOB))
        except BrokenRecord as error:
            raise UsageError(
                f"{self.join(JOB)} is no record of a job ({error}), and nobody can tell with which configuration its "
                "tasks were done: restore it, or give another --output"
            ) from error

    @property
    def finished(self) -> bool:
        """Whether there is a ``_SUCCESS``: every planned task is committed and the ledger balances."""
        return self.success is not None

    @property
    def success(self) -> Success | None:
        """What ``_SUCCESS`` says; None if the job is not finished, or if it is broken."""
        try:
            return Success.from_json(self.read(SUCCESS)) if self.exists(SUCCESS) else None
        except BrokenRecord as error:
            logger.warning("%s is broken (%s): it counts for nothing", self.join(SUCCESS), error)
            return None

    def write(self, name: str) -> AbstractContextManager[HashingWriter]:
        """Writes a file whole or not at all, and what is not whole yet where it can be told whose it is."""
        return storage.write_whole(self.uri, name, self.launch)

    def prepare(self, job: str, config: Mapping[str, Any]) -> None:
        """Writes ``job.json``, if there is none; what is left behind by a killed job goes, and so does ``_SUCCESS``.

        Only for the launch that holds the lease.
        """
        self.remove(SUCCESS)
        self.drop_partial()
        held = self.job or JobRecord(job=job, config=config, versions=library_versions())
        kept = replace(held, config=public_values(held.config))  # an earlier version kept passwords too
        if kept != held or not self.exists(JOB):
            self.write_text(JOB, kept.to_json())

    def check(self, job: str, config: Mapping[str, Any]) -> None:
        """Compares a job with the one that the folder holds, if any.

        Args:
            job: the subcommand.
            config: what determines the output, as JSON values.

        Raises:
            UsageError: it is another job, or the same one with another configuration; or that cannot be told.
        """
        held = self.job
        if held is None and self.stats_names():
            raise UsageError(
                f"{self.join(JOB)} is gone, and nobody can tell with which configuration the tasks there were done: "
                "restore it, or give another --output"
            )
        if held is None:
            return
        old, new = (_compared(name, values) for name, values in ((held.job, held.config), (job, config)))
        if differing := differences(old, new, "{!r} there, {!r} asked for"):
            raise UsageError(
                f"{self.uri} holds the output of another configuration ({'; '.join(differing)}): "
                "give the old values to resume, or another --output"
            )

    def committed(self) -> dict[str, TaskStats]:
        """The stats of every committed task, by task id: for readers, who must not miss one.

        Raises:
            UsageError: a stats file is broken, and not just one of a task that the finished job does not have.
        """
        committed, broken = self._read_stats()
        success = self.success if broken else None
        if success is not None and success.tasks == len(committed):
            logger.warning("%s, and of no task of the finished job: it is passed over", broken[0])
        elif broken:
            raise UsageError(
                f"{broken[0]}: run its job once more, which does that task again; {len(broken)} such files"
            )
        return committed

    def intact(self) -> dict[str, TaskStats]:
        """The stats of every task whose files are all there and as large as they were: for the job, which does the
        others again. Each that does not count is told of in the log."""
        committed, broken = self._read_stats()
        sizes = self._table_sizes(committed.values())
        intact = {}
        for task_id, stats in committed.items():
            damaged = [file for file in stats.files if sizes.get(file.name) != file.bytes]
            if damaged:
                size = sizes.get(damaged[0].name)
                there = "is not there" if size is None else f"has {size:,} bytes, and not {damaged[0].bytes:,}"
                broken.append(f"{self.join(damaged[0].name)} {there}")
            else:
                intact[task_id] = stats
        for line in broken[:TOLD]:
            logger.warning("%s: its task counts as not committed", line)
        if len(broken) > TOLD:
            logger.warning("and %s more such tasks", f"{len(broken) - TOLD:,}")
        return intact

    def stats_names(self) -> set[str]:
        """The task ids that have a stats file; a listing, cheap enough to poll."""
        return {name.removesuffix(".json") for name in self.entries("stats") if name.endswith(".json")}

    def stats_versions(self) -> dict[str, str]:
        """What tells the stats files that are there from those that were: by name, see ``face0.io.listing.version``."""
        return {name: version(info) for name, info in self.file_infos("stats").items()}

    def stats_version(self, task_id: str) -> str:
        """That of the stats of one task."""
        return version(self.info(_stats(task_id)))

    def stats(self, task_id: str) -> TaskStats:
        """The stats of one committed task. Raises BrokenRecord."""
        stats = TaskStats.from_json(self.read(_stats(task_id)))
        if stats.task_id != task_id:
            raise BrokenRecord(f"it is of the task {stats.task_id!r}")
        _refuse_contradictions(stats)
        return stats

    def write_stats(self, stats: TaskStats) -> None:
        """Commits a task: from this moment the files that its stats name count, and no others of it."""
        self.write_text(_stats(stats.task_id), stats.to_json())

    @contextmanager
    def commit(self, task: Task) -> Iterator["TaskOutput"]:
        """Runs a task in the block and commits it at the end; nothing of it shows if the block raises.

        Where the task was committed before, its new files get names of their own, beside the old ones. The one file
        that says which of them count is replaced whole: before and after that moment all that is there is right.

        Raises:
            LeaseLostError: another launch has taken the folder over.
        """
        started = time.monotonic()
        earlier = self._earlier(task.task_id)
        revision = 1 + max(task_and_revision(file.name)[1] for file in earlier.files) if earlier else 0
        with ExitStack() as files:
            output = TaskOutput(self, task.task_id, revision, files)
            yield output
            assert output.ledger.balanced, f"task {task.task_id} lost rows: {output.ledger}"
            if self.launch:
                hold(self, self.launch)
            data_files = output.close()
        stats = TaskStats(
            task_id=task.task_id,
            task=to_json_values(task),
            ledger=output.ledger,
            reasons=dict(output.reasons),
            totals=dict(output.totals),
            notes=dict(output.notes),
            files=data_files,
            seconds=round(time.monotonic() - started, 3),
            ended=round(time.time(), 3),
        )
        self.write_stats(stats)
        # A launch that was killed here has left some of these: of all revisions only the last is to be there.
        for table in {file.name.partition("/")[0] for file in data_files}:
            for number in range(revision):
                self.remove(data_file(table, task.task_id, number))

    def read_table(self, stats: TaskStats, folder: str) -> Iterator[pa.RecordBatch]:
        """Streams the rows of a committed task's table."""
        (name,) = [file.name for file in stats.files if file.name.startswith(f"{folder}/")]
        with self.open(name) as file:
            yield from pq.ParquetFile(file).iter_batches(batch_size=64)

    def take_back(self, stats: TaskStats) -> None:
        """Undoes the commit of a task and removes its files."""
        for name in (_stats(stats.task_id), *(file.name for file in stats.files)):
            self.remove(name)

    def succeed(self, planned: Iterable[str], committed: Mapping[str, TaskStats] | None = None) -> Success | None:
        """Writes ``_SUCCESS`` if every planned task is committed, whole, and the ledger balances; else takes it away.

        Files of committed tasks that no stats name, left by a launch that was killed in the midst of a commit, go.

        Args:
            planned: task ids.
            committed: the stats of all committed tasks, where they are known; None: they are read.

        Raises:
            LeaseLostError: another launch has taken the folder over, whose new files these stats do not name.
        """
        committed = self.intact() if committed is None else committed
        ledger = sum((stats.ledger for stats in committed.values()), Ledger())
        if set(planned) - committed.keys() or not ledger.balanced:
            self.remove(SUCCESS)
            return None
        unnamed = self.unnamed(committed)
        if self.launch:
            hold(self, self.launch)
        for name in unnamed:
            self.remove(name)
        success = Success(
            tasks=len(committed),
            ledger=ledger,
            reasons=_summed(stats.reasons for stats in committed.values()),
            totals=_summed(
                {**stats.totals, "bytes": sum(file.bytes for file in stats.files)} for stats in committed.values()
            ),
            notes=_summed(stats.notes for stats in committed.values()),
            task_seconds=round(sum(stats.seconds for stats in committed.values()), 3),
        )
        self.write_text(SUCCESS, success.to_json())
        self.drop_partial()
        return success

    def unnamed(self, committed: Mapping[str, TaskStats]) -> list[str]:
        """The data files of committed tasks that their stats do not name."""
        named = {file.name for stats in committed.values() for file in stats.files}
        return [
            name
            for name in self._table_sizes(committed.values())
            if name not in named and task_and_revision(name)[0] in committed
        ]

    def _read_stats(self) -> tuple[dict[str, TaskStats], list[str]]:
        """The stats that can be read, by task id; and of the others what is wrong with which file."""

        def read(task_id: str) -> TaskStats | str:
            try:
                return self.stats(task_id)
            except BrokenRecord as error:
                return f"{self.join(_stats(task_id))} is broken ({error})"

        names = sorted(self.stats_names())
        with ThreadPoolExecutor(16) as pool:
            found = list(tracked(pool.map(read, names), "commits read", len(names)))
        committed = {stats.task_id: stats for stats in found if isinstance(stats, TaskStats)}
        return committed, [line for line in found if isinstance(line, str)]

    def _earlier(self, task_id: str) -> TaskStats | None:
        """The commit of a task that is there already."""
        try:
            return self.stats(task_id)
        except (FileNotFoundError, BrokenRecord):
            return None

    def _table_sizes(self, committed: Iterable[TaskStats]) -> dict[str, int]:
        """The bytes of each file in the folders that stats name files in."""
        tables = {file.name.partition("/")[0] for stats in committed for file in stats.files}
        return {name: int(info["size"]) for table in sorted(tables) for name, info in self.file_infos(table).items()}


def _compared(job: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a job must not change: not how its inputs were spelt, nor their passwords."""
    values: dict[str, Any] = {"job": job, **public_values(config)}
    if isinstance(values.get("inputs"), list):
        values["inputs"] = storage.spelt_alike(map(str, values["inputs"]))
    return values


def _refuse_contradictions(stats: TaskStats) -> None:
    """Raises BrokenRecord for stats that cannot be of a commit: files of others, or rows that are in none."""
    for file in stats.files:
        if not lies_within(file.name):
            raise BrokenRecord(f"it names {file.name!r}, which does not lie in the output")
        table, revision = file.name.partition("/")[0], task_and_revision(file.name)[1]
        if file.name not in (data_file(table, stats.task_id, number) for number in (0, revision)):
            raise BrokenRecord(f"it names {file.name!r}, which is no file of its task")
    if not isinstance(stats.task.get("uri"), str):
        raise BrokenRecord("its task names no input")
    if not stats.ledger.balanced:
        raise BrokenRecord(f"rows are missing: {stats.ledger}")
    rows, in_files = stats.ledger.written + stats.ledger.failed, sum(file.rows for file in stats.files)
    if rows != in_files:
        raise BrokenRecord(f"{rows:,} rows were written or failed, and its files have {in_files:,}")


def _stats(task_id: str) -> str:
    return f"stats/{task_id}.json"


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))
