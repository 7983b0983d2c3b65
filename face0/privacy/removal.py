"""Rows taken out of what jobs have committed, so that ledgers stay balanced and every state on the way is whole.

A task's remaining rows go into new files, ``<table>/<task>.<revision>.parquet``; then its stats name these, and from
that moment the others are gone for every reader. ``tidy`` removes the old files, and whatever an earlier removal that
was cut off has left.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from face0.generation.plan import image_id
from face0.io.cards import CARD
from face0.io.folder import Folder
from face0.privacy.locations import OutputLocation
from face0.reports.data_card import write_data_card
from face0.tasks.data_files import data_file, task_and_revision
from face0.tasks.kept_names import without_content
from face0.tasks.task_output import TableWriter, failure_record
from face0.tasks.totals import result_totals, shard_totals
from schemas.failures import FAILURES, Failure, Reason, Stage
from schemas.job import DataFile, Ledger, TaskStats

MESSAGE = "removed by face0 forget"
REWRITE_ROWS = 64  # rows read at a time
# What a request says of a person. Its id stays, so that it is not taken for a new one, and so do bare numbers.
_BLANK = {
    "prompt": "",
    "negative_prompt": "",
    "face_id": "",
    "label": "",
    "vector": None,
    "portrait": None,
    "reason": str(Reason.FORGOTTEN),
    "message": MESSAGE,
}


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A kind of rows that tasks commit.

    Attributes:
        table: the folder of its files.
        name: the column that tells the rows of a task apart.
        totals: counts what the stats say of a batch.
        stage: in which a row that is gone has failed.
    """

    table: str
    name: str
    totals: Callable[[pa.RecordBatch], Counter[str]]
    stage: Stage


SHARDS = Rows(table="shards", name="key", totals=shard_totals, stage=Stage.FACES)
RESULTS = Rows(table="results", name="request_id", totals=result_totals, stage=Stage.RENDER)


def remove_rows(place: OutputLocation, task_id: str, rows: Rows, names: Collection[str]) -> None:
    """Takes rows out of a committed task; each becomes a failure with the reason ``forgotten``.

    Of a row its name and its source stay: without them the job would take it for a new one. The old files stay until
    ``tidy``.

    Args:
        place: the output folder; what is remembered of it is brought up to date.
        task_id: of the task.
        rows: of which kind they are.
        names: what the rows have in the column ``rows.name``.
    """
    stats = place.tasks[task_id]
    lost: list[Failure] = []
    less: Counter[str] = Counter()

    def kept(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            chosen = _chosen(batch, rows.name, names)
            gone = batch.filter(chosen)
            lost.extend(_failure(row, rows, stats) for row in _plain(gone, rows))
            less.update(rows.totals(gone))
            yield without_content(batch.filter(pc.invert(chosen)))

    def failed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from map(without_content, batches)
        yield pa.RecordBatch.from_pylist([failure_record(failure) for failure in lost], schema=FAILURES)

    revised = dict(_revised(place.folder, stats, *change) for change in ((rows.table, kept), ("failures", failed)))
    reasons = Counter(stats.reasons)
    reasons[str(Reason.FORGOTTEN)] += len(lost)
    now = replace(
        stats,
        ledger=stats.ledger + Ledger(written=-len(lost), failed=len(lost)),
        reasons=dict(reasons),
        totals={name: count - less[name] for name, count in stats.totals.items()},
        files=[revised.get(file.name, file) for file in stats.files],
    )
    place.forgotten.update(failure.key for failure in lost)
    place.folder.write_stats(now)
    place.tasks[task_id] = now


def clean_names(place: OutputLocation, task_id: str) -> None:
    """Takes content out of the names in a committed task: an earlier version kept ``data:`` URIs as they were.

    By it a photograph of a person would stay where their rows have gone: as the source of a failure.
    """
    stats = place.tasks[task_id]
    tables = [file.name.partition("/")[0] for file in stats.files]
    revised = dict(_revised(place.folder, stats, table, lambda rows: map(without_content, rows)) for table in tables)
    now = replace(stats, files=[revised.get(file.name, file) for file in stats.files])
    place.folder.write_stats(now)
    place.tasks[task_id] = now


def leftovers(place: OutputLocation, removed: Collection[str] = ()) -> list[str]:
    """Files that still hold removed rows, though no stats name them, and images of such rows.

    Args:
        place: the output folder.
        removed: ids of further requests that are removed, as of tasks that were never committed.

    Returns:
        The paths of the files in the output folder.
    """
    listed = {file.name for stats in place.tasks.values() for file in stats.files}
    left = [
        name
        for table in (SHARDS.table, RESULTS.table, "failures")
        for name in place.folder.files(table)
        if name not in listed and task_and_revision(name)[0] in place.tasks
    ]
    if gone := place.forgotten.union(removed):
        left += [name for name in place.folder.files("images") if image_id(name) in gone]
    return left


def tidy(place: OutputLocation, removed: Collection[str] = ()) -> None:
    """Removes the ``leftovers`` of an output folder; ``_SUCCESS`` and data card follow, where they are there."""
    folder = place.folder
    for name in leftovers(place, removed):
        folder.remove(name)
    success = folder.success
    if success is None:
        return
    if success.ledger != sum((stats.ledger for stats in place.tasks.values()), Ledger()):
        folder.succeed(place.tasks, place.tasks)
    if folder.exists(CARD):
        write_data_card(folder)


def blank_requests(place: OutputLocation, names: Collection[str]) -> None:
    """Takes what requests say of a person out of the files of an output folder; their rows and ids stay.

    Each file is replaced whole, and keeps its row groups, which are tasks.
    """
    for name in [name for name, requests in place.requests.items() if not requests.isdisjoint(names)]:
        with place.folder.open(name) as file:
            opened = pq.ParquetFile(file)
            with (
                place.folder.write(name) as output,
                pq.ParquetWriter(output, opened.schema_arrow, compression="zstd") as writer,
            ):
                for i in range(opened.num_row_groups):
                    group = _blanked(opened.read_row_group(i), names)
                    writer.write_table(group, row_group_size=group.num_rows)


def remove_faces(uri: str, names: Collection[str]) -> None:
    """Takes faces out of a bank, which is replaced whole. Other columns that it may have stay."""
    folder, name = Folder.of_file(uri)
    with folder.open(name) as file:
        opened = pq.ParquetFile(file)
        with (
            folder.write(name) as output,
            pq.ParquetWriter(output, opened.schema_arrow, compression="zstd", use_dictionary=False) as writer,
        ):
            for i in range(opened.num_row_groups):
                group = opened.read_row_group(i)
                writer.write_table(group.filter(pc.invert(_chosen(group, "face_id", names))))


def _revised(
    folder: Folder, stats: TaskStats, table: str, change: Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]
) -> tuple[str, DataFile]:
    """Writes the next revision of a task's table: the old file's name, and the new file."""
    (old,) = [file.name for file in stats.files if file.name.startswith(f"{table}/")]
    task, revision = task_and_revision(old)
    name = data_file(table, task, revision + 1)
    with folder.open(old) as file, folder.write(name) as output:
        opened = pq.ParquetFile(file)
        revised = TableWriter(name, output, opened.schema_arrow)
        for batch in change(opened.iter_batches(batch_size=REWRITE_ROWS)):
            revised.write(batch)
        return old, revised.close()


def _chosen(rows: pa.RecordBatch | pa.Table, column: str, names: Collection[str]) -> pa.Array | pa.ChunkedArray:
    return pc.is_in(rows.column(column), pa.array(sorted(names), pa.string()))


def _plain(rows: pa.RecordBatch, kind: Rows) -> list[dict[str, str]]:
    return rows.select([name for name in (kind.name, "source") if name in rows.schema.names]).to_pylist()


def _failure(row: dict[str, str], rows: Rows, stats: TaskStats) -> Failure:
    return Failure(
        key=row[rows.name],
        source=row.get("source", stats.task["uri"]),
        stage=rows.stage,
        reason=Reason.FORGOTTEN,
        message=MESSAGE,
    )


def _blanked(rows: pa.Table, names: Collection[str]) -> pa.Table:
    chosen = _chosen(rows, "request_id", names)
    for i, field in enumerate(rows.schema):
        if field.name in _BLANK:
            value = pa.scalar(_BLANK[field.name], field.type)
            # if_else does not take lists: a null in place of some of them is a take by indices that are null there
            column = (
                rows[field.name].take(pc.if_else(chosen, None, pa.array(range(len(chosen)), pa.int64())))
                if not value.is_valid
                else pc.if_else(chosen, value, rows[field.name])
            )
            rows = rows.set_column(i, field, column)
    return rows
