"""Rows of Parquet files that are broken in part or in whole."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.readers.planning import plan
from face0.readers.samples import Sample
from schemas.failures import Failure
from tests.fixtures.inputs import NONE, images, reasons, rows_of, write_images


def spoil_row_group(path: Path, group: int, column: int = 0) -> None:
    chunk = pq.ParquetFile(path).metadata.row_group(group).column(column)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content = bytearray(path.read_bytes())
    content[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(content)


def test_parquet_row_group_that_is_corrupt_costs_its_own_rows_only(tmp_path):
    path = write_images(tmp_path / "a.parquet", images(35))
    spoil_row_group(path, 1)
    rows = rows_of(path)
    assert reasons(rows) == ["ok"] * 10 + ["unreadable_input"] + ["ok"] * 15
    assert rows[10].key == "a.parquet#rows 10 to 19"
    assert rows[11].key == "a-000000020"
    assert rows[11].data == b"image 20"


def test_parquet_list_with_a_corrupt_row_group_names_the_rows_of_each_split(tmp_path):
    path = write_images(tmp_path / "l.parquet", pa.table({"URL": [f"/{i}" for i in range(30)], "TEXT": ["x"] * 30}))
    spoil_row_group(path, 1)
    rows = rows_of(path, rows_per_task=8)
    assert [row.key for row in rows if isinstance(row, Failure)] == [
        "l.parquet#rows 10 to 15",
        "l.parquet#rows 16 to 19",
    ]
    assert [row.uri for row in rows if isinstance(row, Sample)] == [f"/{i}" for i in (*range(10), *range(20, 30))]


@pytest.mark.parametrize("keep", [0, 3, 100])
def test_parquet_without_a_footer_is_one_failure(tmp_path, keep):
    path = write_images(tmp_path / "a.parquet", images(35))
    path.write_bytes(path.read_bytes()[:keep])
    assert len(plan([str(path)], NONE, 5)) == 1
    assert reasons(rows_of(path, rows_per_task=5)) == ["unreadable_input"]


def test_rows_that_do_not_fit_into_memory_fail_one_by_one(tmp_path, monkeypatch):
    path = write_images(tmp_path / "a.parquet", images(25), 10)
    batches = pq.ParquetFile.iter_batches

    def full(file, size, *, row_groups, **options):
        if row_groups == [1]:
            yield next(batches(file, 3, row_groups=row_groups, **options))
            raise MemoryError
        yield from batches(file, size, row_groups=row_groups, **options)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", full)
    rows = rows_of(path)
    assert reasons(rows) == ["ok"] * 13 + ["out_of_memory"] * 7 + ["ok"] * 5
    assert [row.key for row in rows] == [f"a-{i:09d}" for i in range(25)]
