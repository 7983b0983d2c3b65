"""The unit of work: tasks that commit whole, resume where they stood, and account for every row.

An output folder holds ``job.json`` (the configuration), the data files of the tasks, ``stats/<task>.json`` (a task's
commit, written last) and ``_SUCCESS`` (written when every task is committed and the ledger balances). A reader
trusts only files that a stats file names.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from face0.errors import UsageError
from face0.io.folder import Folder
from face0.io.json import differences, to_json_values
from face0.runtime.versions import library_versions
from face0.tasks.task import Task
from face0.tasks.task_output import TaskOutput
from schemas.job import JobRecord, Ledger, Success, TaskStats

JOB, SUCCESS = "job.json", "_SUCCESS"


@dataclass(frozen=True)
class OutputFolder(Folder):
    """The output of a job at a URI.

    Attributes:
        uri: of the folder.
    """

    @property
    def job(self) -> JobRecord | None:
        """What ``job.json`` says; None if no job has begun here."""
        return JobRecord.from_json(self.read(JOB)) if self.exists(JOB) else None

    @property
    def finished(self) -> bool:
        """Whether there is a ``_SUCCESS``: every planned task is committed and the ledger balances."""
        return self.exists(SUCCESS)

    @property
    def success(self) -> Success | None:
        """What ``_SUCCESS`` says; None if the job is not finished."""
        return Success.from_json(self.read(SUCCESS)) if self.finished else None

    def prepare(self, job: str, config: Mapping[str, Any]) -> None:
        """Writes ``job.json``, if there is none; what is left behind by a killed job goes, and so does ``_SUCCESS``."""
        if not self.exists(JOB):
            self.write_text(JOB, JobRecord(job=job, config=config, versions=library_versions()).to_json())
        self.remove(SUCCESS)
        self.drop_partial()

    def check(self, job: str, config: Mapping[str, Any]) -> None:
        """Compares a job with the one that the folder holds, if any.

        Args:
            job: the subcommand.
            config: what determines the output, as JSON values.

        Raises:
            UsageError: it is another job, or the same one with another configuration.
        """
        held = self.job
        if held is None:
            return
        old, new = {"job": held.job, **held.config}, {"job": job, **config}
        if differing := differences(old, new, "{!r} there, {!r} asked for"):
            raise UsageError(
                f"{self.uri} holds the output of another configuration ({'; '.join(differing)}): "
                "give the old values to resume, or another --output"
            )

    def committed(self) -> dict[str, TaskStats]:
        """The stats of every committed task, by task id."""
        with ThreadPoolExecutor(16) as pool:
            committed = list(pool.map(self.stats, sorted(self.stats_names())))
        return {stats.task_id: stats for stats in committed}

    def stats_names(self) -> set[str]:
        """The task ids that have a stats file; a listing, cheap enough to poll."""
        return {name.removesuffix(".json") for name in self.entries("stats") if name.endswith(".json")}

    def stats_stamp(self, task_id: str) -> str:
        """A value that changes when the stats of a task are written anew."""
        return self.stamp(_stats(task_id))

    def stats(self, task_id: str) -> TaskStats:
        """The stats of one committed task."""
        return TaskStats.from_json(self.read(_stats(task_id)))

    def write_stats(self, stats: TaskStats) -> None:
        """Commits a task: from this moment the files that its stats name count, and no others of it."""
        self.write_text(_stats(stats.task_id), stats.to_json())

    @contextmanager
    def commit(self, task: Task) -> Iterator["TaskOutput"]:
        """Runs a task in the block and commits it at the end; nothing of it shows if the block raises.

        An earlier commit of the same task is taken back before its files are replaced: a kill in between leaves the
        task uncommitted, so that it runs again, never stats that name other files than there are.
        """
        started = time.monotonic()
        with ExitStack() as files:
            output = TaskOutput(self, task.task_id, files)
            yield output
            assert output.ledger.balanced, f"task {task.task_id} lost rows: {output.ledger}"
            data_files = output.close()
            # Rows that were forgotten since moved the others into files of other names: see face0.privacy.removal.
            earlier = self.stats(task.task_id).files if self.exists(_stats(task.task_id)) else []
            self.remove(_stats(task.task_id))
        stats = TaskStats(
            task_id=task.task_id,
            task=to_json_values(task),
            ledger=output.ledger,
            reasons=dict(output.reasons),
            totals=dict(output.totals),
            files=data_files,
            seconds=round(time.monotonic() - started, 3),
        )
        self.write_stats(stats)
        for name in {file.name for file in earlier} - {file.name for file in data_files}:
            self.remove(name)

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
        """Writes ``_SUCCESS`` if every planned task is committed and the ledger balances; else returns None.

        Args:
            planned: task ids.
            committed: the stats of all committed tasks, where they are known; None: they are read.
        """
        committed = self.committed() if committed is None else committed
        ledger = sum((stats.ledger for stats in committed.values()), Ledger())
        if set(planned) - committed.keys() or not ledger.balanced:
            return None
        success = Success(
            tasks=len(committed),
            ledger=ledger,
            reasons=_summed(stats.reasons for stats in committed.values()),
            totals=_summed(
                {**stats.totals, "bytes": sum(file.bytes for file in stats.files)} for stats in committed.values()
            ),
            task_seconds=round(sum(stats.seconds for stats in committed.values()), 3),
        )
        self.write_text(SUCCESS, success.to_json())
        self.drop_partial()
        return success


def _stats(task_id: str) -> str:
    return f"stats/{task_id}.json"


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))
