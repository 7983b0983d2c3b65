"""Rows taken out of what jobs have committed, so that ledgers stay balanced and every state on the way is whole.

A task's remaining rows go into new files, ``<table>/<task>.<revision>.parquet``; then its stats name these, and from
that moment the others are gone for every reader. ``tidy`` removes the old files, and whatever an earlier removal that
was cut off has left.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from face0.generation.plan import request_files
from face0.io import storage
from face0.tasks.output_folder import OutputFolder
from face0.tasks.task_output import TableWriter
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
_REVISION = re.compile(r"(?P<task>.*?)(?:\.(?P<number>\d+))?\.parquet")


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A kind of rows that tasks commit."""

    table: str  # the folder of its files
    name: str  # the column that tells the rows of a task apart
    totals: Callable[[pa.RecordBatch], Counter[str]]
    stage: Stage  # in which a row that is gone has failed


SHARDS = Rows(table="shards", name="key", totals=shard_totals, stage=Stage.FACES)
RESULTS = Rows(table="results", name="request_id", totals=result_totals, stage=Stage.RENDER)


def remove_rows(uri: str, stats: TaskStats, rows: Rows, names: Collection[str]) -> TaskStats:
    """Takes rows out of a committed task; each becomes a failure with the reason ``forgotten``.

    Of a row its name and its source stay: without them the job would take it for a new one. The old files stay until
    ``tidy``.

    Args:
        uri: of the output folder.
        stats: of the task.
        rows: of which kind they are.
        names: what the rows have in the column ``rows.name``.

    Returns:
        The stats as they are now.
    """
    lost: list[Failure] = []
    less: Counter[str] = Counter()

    def kept(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            chosen = _chosen(batch, rows.name, names)
            gone = batch.filter(chosen)
            lost.extend(_failure(row, rows, stats) for row in _plain(gone, rows))
            less.update(rows.totals(gone))
            yield batch.filter(pc.invert(chosen))

    def failed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from batches
        yield pa.RecordBatch.from_pylist([asdict(failure) for failure in lost], schema=FAILURES)

    revised = dict([_revised(uri, stats, rows.table, kept), _revised(uri, stats, "failures", failed)])
    reasons = Counter(stats.reasons)
    reasons[str(Reason.FORGOTTEN)] += len(lost)
    now = replace(
        stats,
        ledger=stats.ledger + Ledger(written=-len(lost), failed=len(lost)),
        reasons=dict(reasons),
        totals={name: count - less[name] for name, count in stats.totals.items()},
        files=[revised.get(file.name, file) for file in stats.files],
    )
    with storage.write_whole(uri, f"stats/{stats.task_id}.json") as file:
        file.write(now.to_json().encode())
    return now


def forgotten(folder: OutputFolder, tasks: Iterable[TaskStats]) -> set[str]:
    """The names of all rows that were removed from committed tasks."""
    return {
        row["key"]
        for stats in tasks
        if stats.reasons.get(Reason.FORGOTTEN)
        for batch in folder.read_table(stats, "failures")
        for row in batch.to_pylist()
        if row["reason"] == Reason.FORGOTTEN
    }


def leftovers(uri: str) -> list[str]:
    """Files that still hold removed rows, though no stats name them, and images of such rows; by their path in the
    output folder."""
    folder = OutputFolder(uri)
    committed = folder.committed()
    named = {file.name for stats in committed.values() for file in stats.files}
    found = [
        name
        for table in (SHARDS.table, RESULTS.table, "failures")
        for name in _listed(uri, table)
        if name not in named and _parts(name)[0] in committed
    ]
    if gone := forgotten(folder, committed.values()):
        found += [name for name in _listed(uri, "images") if name.rpartition("/")[2].partition(".")[0] in gone]
    return found


def tidy(uri: str) -> None:
    """Removes the ``leftovers`` of an output folder, and brings its ``_SUCCESS`` up to date if there is one."""
    for name in leftovers(uri):
        _remove(uri, name)
    fs, path = storage.filesystem(storage.join(uri, "_SUCCESS"))
    if not fs.exists(path):
        return
    folder = OutputFolder(uri)
    committed = folder.committed()
    ledger = sum((stats.ledger for stats in committed.values()), Ledger())
    if json.loads(fs.cat_file(path))["ledger"] != asdict(ledger):
        folder.succeed(committed)
    storage.drop_partial(uri)  # the job is finished, so nobody else is writing


def blank_requests(uri: str, names: Collection[str]) -> None:
    """Takes what requests say of a person out of the files of an output folder; their rows and ids stay.

    Each file is replaced whole, and keeps its row groups, which are tasks.
    """
    for requests in request_files(uri):
        with storage.open_uri(requests) as file:
            opened = pq.ParquetFile(file)
            ids = opened.read(["request_id"])["request_id"]
            if not pc.any(pc.is_in(ids, pa.array(sorted(names), pa.string()))).as_py():
                continue
            with (
                storage.write_whole(uri, f"requests/{requests.rpartition('/')[2]}") as output,
                pq.ParquetWriter(output, opened.schema_arrow, compression="zstd") as writer,
            ):
                for i in range(opened.num_row_groups):
                    group = _blanked(opened.read_row_group(i), names)
                    writer.write_table(group, row_group_size=group.num_rows)


def remove_faces(uri: str, names: Collection[str]) -> None:
    """Takes faces out of a bank, which is replaced whole. Other columns that it may have stay."""
    folder, _, name = uri.rpartition("/")
    with storage.open_uri(uri) as file:
        opened = pq.ParquetFile(file)
        with (
            storage.write_whole(folder, name) as output,
            pq.ParquetWriter(output, opened.schema_arrow, compression="zstd", use_dictionary=False) as writer,
        ):
            for i in range(opened.num_row_groups):
                group = opened.read_row_group(i)
                writer.write_table(group.filter(pc.invert(_chosen(group, "face_id", names))))
    storage.drop_partial(folder)


def _revised(
    uri: str, stats: TaskStats, table: str, change: Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]
) -> tuple[str, DataFile]:
    """Writes the next revision of a task's table: the old file's name, and the new file."""
    (old,) = [file.name for file in stats.files if file.name.startswith(f"{table}/")]
    task, number = _parts(old)
    name = f"{table}/{task}.{number + 1}.parquet"
    with storage.open_uri(storage.join(uri, old)) as file, storage.write_whole(uri, name) as output:
        opened = pq.ParquetFile(file)
        revised = TableWriter(name, output, opened.schema_arrow)
        for batch in change(opened.iter_batches(batch_size=REWRITE_ROWS)):
            revised.write(batch)
        return old, revised.close()


def _parts(name: str) -> tuple[str, int]:
    """The task and the revision of a data file."""
    match = _REVISION.fullmatch(name.rpartition("/")[2])
    return (match["task"], int(match["number"] or 0)) if match else (name, 0)


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


def _listed(uri: str, folder: str) -> list[str]:
    fs, path = storage.filesystem(uri)
    fs.invalidate_cache()
    root = path.rstrip("/") + "/"
    return sorted(name.removeprefix(root) for name in fs.find(f"{root}{folder}"))


def _remove(uri: str, name: str) -> None:
    fs, path = storage.filesystem(storage.join(uri, name))
    if fs.exists(path):
        fs.rm_file(path)
