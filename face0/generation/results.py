"""The output of generate, read back: its committed results and failures as Arrow tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from face0.errors import UsageError
from face0.runtime.progress import tracked
from face0.tasks.output_folder import OutputFolder
from schemas.failures import FAILURES
from schemas.job import JobRecord, Ledger, TaskStats
from schemas.requests import RESULTS, SETTINGS

SCAN_ROWS = 256  # rows read at a time
# What a sweep is over, where a bare request is one more kind of face; the other settings are usually the same for all.
CELL = ("prompt", "face_id", "bare", "seed")


@dataclass(frozen=True)
class Results:
    """What the committed tasks of an output folder hold. Made by ``open_results``.

    Attributes:
        folder: the output folder.
        job: its ``job.json``.
        tasks: stats of the committed tasks, by task id.
    """

    folder: OutputFolder
    job: JobRecord
    tasks: Mapping[str, TaskStats]

    @property
    def uri(self) -> str:
        """The URI of the output folder."""
        return self.folder.uri

    @cached_property
    def ledger(self) -> Ledger:
        """The sum over the committed tasks: ``read`` requests, of which so many were ``written`` and ``failed``."""
        return sum((stats.ledger for stats in self.tasks.values()), Ledger())

    @cached_property
    def reasons(self) -> dict[str, int]:
        """Failures by reason, the most frequent first."""
        total: dict[str, int] = {}
        for stats in self.tasks.values():
            for reason, count in stats.reasons.items():
                total[reason] = total.get(reason, 0) + count
        return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))

    @property
    def rows(self) -> int:
        """Images, by the stats files."""
        return sum(file.rows for stats in self.tasks.values() for file in stats.files if _within(file.name, "results"))

    @property
    def finished(self) -> bool:
        """Whether every planned task is committed and the ledger balances."""
        return self.folder.finished

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Streams the results, in the order of task ids and of the rows of each; always the same order.

        Args:
            columns: of RESULTS, in this order; None: all. Vectors are the largest by far.
        """
        return (batch for _, batch in self.batches_by_task(columns))

    def batches_by_task(self, columns: Sequence[str] | None = None) -> Iterator[tuple[str, pa.RecordBatch]]:
        """``batches``, each with the id of its task."""
        return self._stream("results", RESULTS, columns)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The results as one table, in the order of ``batches``.

        Raises:
            UsageError: there are none, because every request failed.
        """
        table = pa.Table.from_batches(self.batches(columns), schema=_chosen(RESULTS, columns))
        if not table.num_rows:
            raise UsageError(
                f"{self.uri} holds no image: all {self.ledger.failed:,} requests failed, see its failures/"
            )
        return table

    def failures(self, limit: int | None = None) -> pa.Table:
        """The failed requests (FAILURES), or the first ``limit`` of them; may be empty."""
        batches: list[pa.RecordBatch] = []
        for _, batch in self._stream("failures", FAILURES, None):
            batches.append(batch)
            if limit is not None and sum(rows.num_rows for rows in batches) >= limit:
                break
        return pa.Table.from_batches(batches, schema=FAILURES).slice(0, limit)

    def _stream(
        self, folder: str, schema: pa.Schema, columns: Sequence[str] | None
    ) -> Iterator[tuple[str, pa.RecordBatch]]:
        wanted = _chosen(schema, columns)
        for task_id, stats in tracked(sorted(self.tasks.items()), f"tasks' {folder} read"):
            for name in (file.name for file in stats.files if file.rows and _within(file.name, folder)):
                with self.folder.open(name) as file:
                    # Names of columns that a file of version 1 lacks are passed over
                    for batch in pq.ParquetFile(file).iter_batches(batch_size=SCAN_ROWS, columns=wanted.names):
                        yield task_id, completed(batch, wanted)


def completed(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Rows of any version under a schema; columns that their version lacks are null."""
    columns = [
        rows.column(field.name).cast(field.type) if field.name in rows.schema.names else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def open_results(uri: str) -> Results:
    """The results of the output folder of generate at a URI, as far as it has come.

    Raises:
        UsageError: there is no such folder, or nothing of it is committed yet.
    """
    folder = OutputFolder(uri)
    job = folder.job
    if job is None:
        raise UsageError(f"{uri} holds no job.json: give the --output of face0 generate")
    return results_of(folder, job, folder.committed())


def results_of(folder: OutputFolder, job: JobRecord, tasks: Mapping[str, TaskStats]) -> Results:
    """The results of an output folder whose ``job.json`` and stats are read already. Raises UsageError as above."""
    if not tasks:
        raise UsageError(f"{folder.uri} holds nothing yet: no task of face0 {job.job} is committed, run it first")
    if not any(_within(file.name, "results") for stats in tasks.values() for file in stats.files):
        raise UsageError(f"{folder.uri} is the output of face0 {job.job}: give the --output of face0 generate")
    return Results(folder, job, tasks)


def varying_settings(results: pa.Table) -> list[str]:
    """The settings in which images differ beside prompt, face and seed: those that a sweep was over."""
    return [field.name for field in SETTINGS if field.name not in CELL and len(pc.unique(results[field.name])) > 1]


def variants(results: pa.Table) -> list[str]:
    """For each image its varying settings in words, as ``c 0.4, steps 20``; empty where nothing varies."""
    names = varying_settings(results)
    columns = [results[name].to_pylist() for name in names]
    return [
        ", ".join(f"{name} {setting(value)}" for name, value in zip(names, values, strict=True))
        for values in (zip(*columns, strict=True) if names else [()] * results.num_rows)
    ]


def setting(value: Any) -> str:
    """A setting's value in words; floats as they were meant, not as float32 holds them.

    >>> setting(0.4000000059604645), setting(True), setting(20)
    ('0.4', 'yes', '20')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _within(name: str, folder: str) -> bool:
    return name.startswith(f"{folder}/")


def _chosen(schema: pa.Schema, columns: Sequence[str] | None) -> pa.Schema:
    return schema if columns is None else pa.schema([schema.field(name) for name in columns])
