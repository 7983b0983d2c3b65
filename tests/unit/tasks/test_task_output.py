"""Tables of a task: single rows and batches in order, in row groups, counted as they are written."""

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.io.folder import Folder
from face0.tasks.task_output import ROW_GROUP, TableWriter

NUMBERS = pa.schema([pa.field("n", pa.int64())])


def numbers(*values: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"n": n} for n in values], schema=NUMBERS)


def test_single_rows_become_batches_of_a_row_group(tmp_path):
    made: list[int] = []

    def to_batch(rows: Sequence[int]) -> pa.RecordBatch:
        made.append(len(rows))
        return numbers(*rows)

    with Folder(str(tmp_path)).write("table.parquet") as file:
        table = TableWriter("table.parquet", file, NUMBERS, to_batch=to_batch)
        for n in range(2 * ROW_GROUP + 3):
            table.add(n)
        written = table.close()
    assert made == [ROW_GROUP, ROW_GROUP, 3]
    assert written.rows == 2 * ROW_GROUP + 3
    assert pq.read_table(tmp_path / "table.parquet")["n"].to_pylist() == [*range(2 * ROW_GROUP + 3)]


def test_rows_and_batches_stay_in_the_order_in_which_they_came(tmp_path):
    sums: Counter[str] = Counter()
    with Folder(str(tmp_path)).write("table.parquet") as file:
        table = TableWriter(
            "table.parquet", file, NUMBERS, written=lambda rows: sums.update(sum=sum(rows["n"].to_pylist()))
        )
        table.add({"n": 0})
        table.write(numbers(1, 2))
        table.write(numbers())
        table.add({"n": 3})
        table.add({"n": 4})
        table.write(numbers(5))
        assert table.close().rows == 6
    assert pq.read_table(tmp_path / "table.parquet")["n"].to_pylist() == [*range(6)]
    assert sums == {"sum": 15}


def write_rows(folder: Folder, *values: object) -> None:
    with folder.write("table.parquet") as file:
        table = TableWriter("table.parquet", file, NUMBERS)
        for value in values:
            table.add({"n": value})
        table.close()


def test_a_row_that_does_not_fit_the_schema_leaves_no_file(tmp_path):
    folder = Folder(str(tmp_path))
    with pytest.raises(pa.ArrowInvalid):
        write_rows(folder, 1, "no number")
    assert folder.files() == []
