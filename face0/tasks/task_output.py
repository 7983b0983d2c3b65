"""What one run of a task writes and counts."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict

import pyarrow as pa
import pyarrow.parquet as pq

from face0.io import storage
from schemas.failures import FAILURES, Failure
from schemas.job import DataFile, Ledger

# Rows of a Parquet row group: 256 images of 512 px are about 20 MB, small enough to hold and large enough to scan.
ROW_GROUP = 256


class TableWriter:
    """A Parquet file that is being written, in row groups of ROW_GROUP rows."""

    def __init__(self, name: str, file: storage.HashingWriter, schema: pa.Schema) -> None:
        self._name, self._file, self._schema = name, file, schema
        # Nearly every value is unique (images, keys, vectors), so dictionaries would only cost.
        self._writer = pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=False)
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Appends rows in order."""
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        if self._waiting_rows >= ROW_GROUP:
            self._flush()

    def close(self) -> DataFile:
        """Completes the file; returns what it holds."""
        self._flush()
        self._writer.close()
        return DataFile(name=self._name, rows=self._rows, bytes=self._file.size, sha256=self._file.sha256)

    def _flush(self) -> None:
        if self._waiting_rows:
            rows = pa.Table.from_batches(self._waiting, schema=self._schema)
            self._writer.write_table(rows, row_group_size=rows.num_rows)
        self._rows += self._waiting_rows
        self._waiting, self._waiting_rows = [], 0


class TaskOutput:
    """What one run of a task writes and counts. Made by ``OutputFolder.commit``."""

    def __init__(self, root: str, task_id: str, files: ExitStack) -> None:
        self._root, self._task_id, self._files = root, task_id, files
        self._tables: list[TableWriter] = []
        self._failures = self.table("failures", FAILURES)
        self.ledger = Ledger()
        self.reasons: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()

    def table(self, folder: str, schema: pa.Schema) -> TableWriter:
        """Starts the file ``folder/<task>.parquet``."""
        name = f"{folder}/{self._task_id}.parquet"
        self._tables.append(TableWriter(name, self._files.enter_context(storage.write_whole(self._root, name)), schema))
        return self._tables[-1]

    def fail(self, failure: Failure) -> None:
        """Records a failed row: its row in ``failures/``, its count in the ledger and by reason."""
        self.ledger.failed += 1
        self.reasons[str(failure.reason)] += 1
        self._failures.write(pa.RecordBatch.from_pylist([asdict(failure)], schema=FAILURES))

    def close(self) -> list[DataFile]:
        """Completes the tables."""
        return [table.close() for table in self._tables]
