"""What one run of a task writes and counts."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from face0.io.folder import Folder
from face0.io.names import kept_key, kept_message, kept_source
from face0.io.storage import HashingWriter
from face0.tasks.data_files import data_file
from schemas.failures import FAILURES, Failure
from schemas.job import DataFile, Ledger

# Rows of a Parquet row group: 256 images of 512 px are about 20 MB, small enough to hold and large enough to scan.
ROW_GROUP = 256


class TableWriter:
    """A Parquet file that is being written, in row groups of ROW_GROUP rows or a little more.

    Args:
        name: of the file, as its stats will have it.
        file: where it is written.
        schema: of its rows.
        to_batch: makes a batch of that schema from single rows; None: these are mappings of column to value.
        written: is given each row group before it is written.
    """

    def __init__(
        self,
        name: str,
        file: HashingWriter,
        schema: pa.Schema,
        *,
        to_batch: Callable[[Sequence[Any]], pa.RecordBatch] | None = None,
        written: Callable[[pa.Table], None] | None = None,
    ) -> None:
        self._name, self._file, self._schema = name, file, schema
        self._to_batch = to_batch or (lambda rows: pa.RecordBatch.from_pylist(rows, schema=schema))
        self._written = written
        # Nearly every value is unique (images, keys, vectors), so dictionaries would only cost.
        self._writer = pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=False)
        self._single: list[Any] = []  # rows that came singly, after those in _batches
        self._batches: list[pa.RecordBatch] = []
        self._waiting = self._rows = 0

    def add(self, row: Any) -> None:
        """Appends one row. It becomes a part of a batch once a row group is full."""
        self._single.append(row)
        self._count(1)

    def write(self, batch: pa.RecordBatch) -> None:
        """Appends rows that are a batch already."""
        self._gather()
        self._batches.append(batch)
        self._count(batch.num_rows)

    def close(self) -> DataFile:
        """Completes the file; returns what it holds."""
        self._flush()
        self._writer.close()
        return DataFile(name=self._name, rows=self._rows, bytes=self._file.size, sha256=self._file.sha256)

    def _count(self, rows: int) -> None:
        self._waiting += rows
        if self._waiting >= ROW_GROUP:
            self._flush()

    def _gather(self) -> None:
        if self._single:
            self._batches.append(self._to_batch(self._single))
            self._single = []

    def _flush(self) -> None:
        self._gather()
        if self._waiting:
            rows = pa.Table.from_batches(self._batches, schema=self._schema)
            if self._written:
                self._written(rows)
            self._writer.write_table(rows, row_group_size=rows.num_rows)
        self._rows += self._waiting
        self._batches, self._waiting = [], 0


def failure_record(failure: Failure) -> dict[str, Any]:
    """A failure as its row is kept: without secrets and content, also in the messages of libraries."""
    return {
        **asdict(failure),
        "key": kept_key(failure.key),
        "source": kept_source(failure.source),
        "message": kept_message(failure.message),
    }


class TaskOutput:
    """What one run of a task writes and counts. Made by ``OutputFolder.commit``."""

    def __init__(self, folder: Folder, task_id: str, revision: int, files: ExitStack) -> None:
        self._folder, self._task_id, self._revision, self._files = folder, task_id, revision, files
        self._tables: list[TableWriter] = []
        self._failures = self.table("failures", FAILURES)
        self.ledger = Ledger()
        self.reasons: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()

    def table(
        self,
        folder: str,
        schema: pa.Schema,
        *,
        to_batch: Callable[[Sequence[Any]], pa.RecordBatch] | None = None,
        totals: Callable[[pa.Table], Counter[str]] | None = None,
    ) -> TableWriter:
        """Starts the file ``folder/<task>.parquet``, or the revision that takes its place.

        Args:
            folder: in the output folder.
            schema: of the rows.
            to_batch: see TableWriter.
            totals: what rows add to the totals of the task.
        """
        name = data_file(folder, self._task_id, self._revision)
        file = self._files.enter_context(self._folder.write(name))
        written = (lambda rows: self.totals.update(totals(rows))) if totals else None
        self._tables.append(TableWriter(name, file, schema, to_batch=to_batch, written=written))
        return self._tables[-1]

    def fail(self, failure: Failure) -> None:
        """Records a failed row: its row in ``failures/``, without secrets, its count in the ledger and by reason."""
        self.ledger.failed += 1
        self.reasons[str(failure.reason)] += 1
        self._failures.add(failure_record(failure))

    def close(self) -> list[DataFile]:
        """Completes the tables."""
        return [table.close() for table in self._tables]
