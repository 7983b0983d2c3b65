"""The unit of work: tasks that commit whole, resume where they stood, and account for every row.

An output folder holds ``job.json`` (the configuration), the data files of the tasks, ``stats/<task>.json`` (a task's
commit, written last) and ``_SUCCESS`` (written when every task is committed and the ledger balances). A reader
trusts only files that a stats file names.
"""

import json
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
from face0.io import storage
from face0.io.json import to_json_values
from face0.runtime.versions import library_versions
from face0.tasks.task import Task
from face0.tasks.task_output import TaskOutput
from schemas.job import VERSION, Ledger, Success, TaskStats


@dataclass(frozen=True)
class OutputFolder:
    """The output of a job at a URI."""

    uri: str

    def prepare(self, job: str, config: Mapping[str, Any]) -> None:
        """Writes ``job.json``, if there is none; what is left behind by a killed job goes, and so does ``_SUCCESS``."""
        if not self._exists("job.json"):
            record = {"version": VERSION, "job": job, "config": config, "versions": library_versions()}
            self._write_text("job.json", json.dumps(record, indent=1, sort_keys=True))
        self._remove("_SUCCESS")
        storage.drop_partial(self.uri)

    def check(self, job: str, config: Mapping[str, Any]) -> None:
        """Compares a job with the one that the folder holds, if any.

        Args:
            job: the subcommand.
            config: what determines the output, as JSON values.

        Raises:
            UsageError: it is another job, or the same one with another configuration.
        """
        if not self._exists("job.json"):
            return
        with storage.open_uri(storage.join(self.uri, "job.json")) as file:
            found = json.load(file)
        if differences := _differences({"job": found["job"], **found["config"]}, {"job": job, **config}):
            raise UsageError(
                f"{self.uri} holds the output of another configuration ({'; '.join(differences)}): "
                "give the old values to resume, or another --output"
            )

    def committed(self) -> dict[str, TaskStats]:
        """The stats of every committed task, by task id."""
        fs, path = storage.filesystem(storage.join(self.uri, "stats"))
        fs.invalidate_cache()
        names = sorted(fs.glob(f"{path}/*.json"))
        with ThreadPoolExecutor(16) as pool:
            stats = [TaskStats.from_json(text) for text in pool.map(fs.cat_file, names)]
        return {each.task_id: each for each in stats}

    def stats_names(self) -> set[str]:
        """The task ids that have a stats file; a listing, cheap enough to poll."""
        fs, path = storage.filesystem(storage.join(self.uri, "stats"))
        fs.invalidate_cache()
        return {name.rsplit("/", 1)[-1].removesuffix(".json") for name in fs.glob(f"{path}/*.json")}

    def stats_stamp(self, task_id: str) -> str:
        """A value that changes when the stats of a task are written anew."""
        fs, path = storage.filesystem(storage.join(self.uri, "stats", f"{task_id}.json"))
        return str(fs.ukey(path))

    def stats(self, task_id: str) -> TaskStats:
        """The stats of one committed task."""
        with storage.open_uri(storage.join(self.uri, "stats", f"{task_id}.json")) as file:
            return TaskStats.from_json(file.read())

    @contextmanager
    def commit(self, task: Task) -> Iterator["TaskOutput"]:
        """Runs a task in the block and commits it at the end; nothing of it shows if the block raises.

        An earlier commit of the same task is taken back before its files are replaced: a kill in between leaves the
        task uncommitted, so that it runs again, never stats that name other files than there are.
        """
        started = time.monotonic()
        with ExitStack() as files:
            output = TaskOutput(self.uri, task.task_id, files)
            yield output
            assert output.ledger.balanced, f"task {task.task_id} lost rows: {output.ledger}"
            data_files = output.close()
            # Rows that were forgotten since moved the others into files of other names: see face0.privacy.removal.
            earlier = self.stats(task.task_id).files if self._exists(f"stats/{task.task_id}.json") else []
            self._remove(f"stats/{task.task_id}.json")
        stats = TaskStats(
            task_id=task.task_id,
            task=to_json_values(task),
            ledger=output.ledger,
            reasons=dict(output.reasons),
            totals=dict(output.totals),
            files=data_files,
            seconds=round(time.monotonic() - started, 3),
        )
        self._write_text(f"stats/{task.task_id}.json", stats.to_json())
        for name in {file.name for file in earlier} - {file.name for file in data_files}:
            self._remove(name)

    def read_table(self, stats: TaskStats, folder: str) -> Iterator[pa.RecordBatch]:
        """Streams the rows of a committed task's table."""
        (name,) = [file.name for file in stats.files if file.name.startswith(f"{folder}/")]
        with storage.open_uri(storage.join(self.uri, name)) as file:
            yield from pq.ParquetFile(file).iter_batches(batch_size=64)

    def take_back(self, stats: TaskStats) -> None:
        """Undoes the commit of a task and removes its files."""
        for name in (f"stats/{stats.task_id}.json", *(file.name for file in stats.files)):
            self._remove(name)

    def succeed(self, planned: Iterable[str]) -> Success | None:
        """Writes ``_SUCCESS`` if every planned task is committed and the ledger balances; else returns None."""
        committed = self.committed()
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
        self._write_text("_SUCCESS", success.to_json())
        storage.drop_partial(self.uri)
        return success

    def _exists(self, name: str) -> bool:
        fs, path = storage.filesystem(storage.join(self.uri, name))
        return fs.exists(path)

    def _write_text(self, name: str, text: str) -> None:
        with storage.write_whole(self.uri, name) as file:
            file.write(text.encode())

    def _remove(self, name: str) -> None:
        fs, path = storage.filesystem(storage.join(self.uri, name))
        if fs.exists(path):
            fs.rm_file(path)


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(sorted(total.items()))


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}: {old.get(name)!r} there, {new.get(name)!r} asked for"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
