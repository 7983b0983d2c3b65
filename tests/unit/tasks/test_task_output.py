"""Tasks commit whole or not at all, and account for every row; tables take single rows and batches in order."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.io.folder import Folder
from face0.tasks.output_folder import OutputFolder
from face0.tasks.task_output import ROW_GROUP, TableWriter
from schemas.job import Ledger
from tests.fixtures.counting import NUMBERS, Count, Killed, assert_trustworthy, do, failure, finish, killed_at
from tests.fixtures.pictures import assert_complete, contents, rows, stats, success


def test_a_task_is_committed_with_its_counts(root):
    finish(OutputFolder(root), Count(uri="a"), Count(uri="b", stop=12))
    assert_complete(root)
    assert [row["n"] for row in rows(root)][:10] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]
    assert rows(root, "failures")[0] == {**asdict(failure("9")), "stage": "decode", "reason": "empty"}
    assert stats(root)[0]["ledger"] == asdict(Ledger(read=30, written=27, failed=3))
    assert stats(root)[0]["task"] == {"uri": "a", "stop": 30, "size": 100}
    whole = success(root)
    assert (whole["tasks"], whole["reasons"]) == (2, {"empty": 4})
    assert whole["totals"]["sum"] == sum(row["n"] for row in rows(root))
    assert whole["totals"]["bytes"] == sum(len(v) for k, v in contents(root).items() if k.endswith(".parquet"))


def test_rows_come_in_row_groups(tmp_path):
    finish(OutputFolder(str(tmp_path)), Count(stop=1000))
    groups = pq.read_metadata(tmp_path / "shards" / "count-input.parquet")
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [256, 256, 256, 132]
    assert ROW_GROUP == 256


def test_a_task_without_rows_has_its_files(root):
    finish(OutputFolder(root), Count(stop=0))
    assert_complete(root)
    assert len(contents(root)) == 5


def commit_and_raise(folder: OutputFolder, error: BaseException) -> None:
    with folder.commit(Count()) as output:
        table = output.table("shards", NUMBERS)
        for n in range(3 * ROW_GROUP):
            output.ledger.read += 1
            output.ledger.written += 1
            table.write(pa.RecordBatch.from_pylist([{"n": n}], schema=NUMBERS))
        raise error


@pytest.mark.parametrize("error", [ValueError("no"), Killed()])
def test_a_task_that_raises_commits_nothing(root, error):
    with pytest.raises(type(error)):
        commit_and_raise(OutputFolder(root), error)
    assert contents(root) == {}


@pytest.mark.parametrize("error", [ValueError("no"), Killed()])
def test_a_task_that_raises_leaves_its_earlier_commit(root, error):
    finish(OutputFolder(root), Count())
    before = contents(root)
    with pytest.raises(type(error)):
        commit_and_raise(OutputFolder(root), error)
    assert contents(root) == before


def lose_a_row(folder: OutputFolder) -> None:
    with folder.commit(Count()) as output:
        output.ledger.read += 1


def test_a_task_that_lost_a_row_is_not_committed(root):
    with pytest.raises(AssertionError, match="lost rows"):
        lose_a_row(OutputFolder(root))
    assert contents(root) == {}


def test_a_task_that_runs_again_and_is_killed_never_has_stats_of_other_files(root):
    """As in a retry, whose second commit has other rows than the first."""
    steps, step = 1, 0
    while step < steps:
        folder = f"{root}/{step}"
        finish(OutputFolder(folder), Count())
        with killed_at(-1, root) as count:
            do(OutputFolder(f"{folder}/dry"), Count(stop=50))
            do(OutputFolder(f"{folder}/dry"), Count(stop=50))
            steps = count() // 2
        with pytest.raises(Killed), killed_at(step, root):
            do(OutputFolder(folder), Count(stop=50))
        assert_trustworthy(folder)
        do(OutputFolder(folder), Count(stop=50))
        do(OutputFolder(folder), Count(stop=50))
        assert_trustworthy(folder)
        assert len(rows(folder)) == 45
        step += 1
    assert steps >= 6


# --- Tables


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
