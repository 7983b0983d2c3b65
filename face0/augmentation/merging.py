"""A retry: the rows of a task that need not run again, as its earlier commit has them."""

from collections.abc import Iterable, Iterator

import pyarrow as pa

from face0.io.names import kept_key, kept_source
from face0.readers.samples import Sample
from face0.shards.columns import as_written
from face0.tasks.kept_names import without_content
from face0.tasks.outcomes import EarlierRow, Filtered, NoFace
from face0.tasks.output_folder import OutputFolder
from face0.tasks.task import input_changed
from schemas.failures import Failure, Reason
from schemas.job import TaskStats


def settle(
    rows: Iterable[Sample | Filtered | Failure],
    folder: OutputFolder,
    stats: TaskStats,
    retry: set[Reason],
    schema: pa.Schema,
) -> Iterator[Sample | Filtered | EarlierRow | NoFace | Failure]:
    """Replaces each sample that need not run again by its outcome in the earlier commit.

    Samples come in the order of that commit, so its rows are streamed along; rows in neither table had no face. A key
    alone does not tell rows apart: one that fails before its image is read may share it with a good one.

    Args:
        rows: of the task, as they are read now.
        folder: with the earlier commit.
        stats: of that.
        retry: reasons for which a row runs again.
        schema: that rows of the earlier commit are to have, which may be of an earlier version.

    Raises:
        UsageError: these are not the rows of that commit.
    """
    failures = {
        (kept_key(row["key"]), kept_source(row["source"])): Failure(**row)
        for batch in folder.read_table(stats, "failures")
        for row in batch.to_pylist()
        if row["reason"] != Reason.DUPLICATE_KEY
    }
    batches = (_written(batch, schema) for batch in folder.read_table(stats, "shards"))
    kept = (batch.slice(i, 1) for batch in batches for i in range(batch.num_rows))
    head = next(kept, None)
    faceless = 0
    for row in rows:
        if not isinstance(row, Sample):
            yield row
        elif (failure := failures.get((row.key, row.source))) is not None:
            yield row if failure.reason in retry else failure
        elif head is not None and _identity(head) == (row.key, row.source):
            yield EarlierRow(without_content(head))
            head = next(kept, None)
        else:
            faceless += 1
            yield NoFace()
    if head is not None or faceless != stats.ledger.no_face:
        raise input_changed(stats)


def _written(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    (batch,) = as_written(pa.Table.from_batches([rows]), schema).combine_chunks().to_batches()
    return batch


def _identity(row: pa.RecordBatch) -> tuple[str, str]:
    return kept_key(row.column("key")[0].as_py()), kept_source(row.column("source")[0].as_py())
