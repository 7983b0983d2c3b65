"""Headers of pages, as Arrow writes them."""

import os
from itertools import product

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.readers.parquet_pages import Chunk, Incomplete, WatchedFile, check_rows, parse_page

ROWS = 5000


def write(path, **options) -> pa.Table:
    images = [os.urandom(200) for _ in range(ROWS)]
    captions = [f"a photograph of {i % 7}" for i in range(ROWS)]
    structs = pa.array([{"bytes": image, "path": None} for image in images])
    table = pa.table({"image": images, "caption": captions, "key": range(ROWS), "struct": structs})
    pq.write_table(table, path, row_group_size=2000, data_page_size=4096, write_page_checksum=True, **options)
    return table


@pytest.mark.parametrize(
    ("compression", "dictionary", "version"),
    list(product(["none", "zstd", "snappy", "gzip"], [True, False], ["1.0", "2.0"])),
)
def test_every_page_of_an_honest_file_is_seen_and_let_through(tmp_path, compression, dictionary, version):
    table = write(tmp_path / "a.parquet", compression=compression, use_dictionary=dictionary, data_page_version=version)
    with open(tmp_path / "a.parquet", "rb") as file:
        watched = WatchedFile(file)
        parquet = pq.ParquetFile(watched, buffer_size=2**14, pre_buffer=False)
        parts = []
        for group in range(parquet.num_row_groups):
            footer = parquet.metadata.row_group(group)
            shared = watched.expect(footer.column(column) for column in range(footer.num_columns))
            assert (shared > 0) == dictionary
            parts += parquet.iter_batches(100, row_groups=[group], use_threads=False)
            assert [chunk._header for chunk in watched._chunks] == [chunk.stop for chunk in watched._chunks]
    assert pa.Table.from_batches(parts) == table


def test_prefixes_count_as_shared(tmp_path):
    write(tmp_path / "a.parquet", use_dictionary=False, column_encoding={"caption": "DELTA_BYTE_ARRAY"})
    with open(tmp_path / "a.parquet", "rb") as file:
        watched = WatchedFile(file)
        column = pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0).column(1)
        assert 0 < watched.expect([column]) <= column.total_uncompressed_size


def test_a_header_that_is_cut_is_incomplete_wherever(tmp_path):
    write(tmp_path / "a.parquet")
    chunk = Chunk.of(pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0).column(0))
    data = (tmp_path / "a.parquet").read_bytes()[chunk.start :]
    page = parse_page(memoryview(data), 0)
    for length in range(page.stop):
        with pytest.raises(Incomplete):
            parse_page(memoryview(data[:length]), 0)


@pytest.mark.parametrize("data", [b"\0", b"\x1c" * 100, b"\xff" * 100, b"\x15" + b"\x80" * 20 + b"\0"])
def test_what_is_no_header_is_invalid(data):
    with pytest.raises(pa.ArrowInvalid):
        parse_page(memoryview(data), 0)


def test_rows_are_bounded_by_bytes():
    check_rows([10, 20], 100)
    for groups in ([10**9], [2**40, 2**40], [-1, 5]):
        with pytest.raises(pa.ArrowInvalid):
            check_rows(groups, 10_000)
