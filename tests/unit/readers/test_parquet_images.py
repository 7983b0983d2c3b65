"""Parquet files with images in them."""

import os
import tracemalloc

import pyarrow as pa
import pytest

from face0.readers.planning import plan, read
from face0.readers.samples import Columns, Sample
from tests.fixtures.inputs import NONE, images, reasons, rows_of, write_images


@pytest.mark.parametrize(
    ("rows_per_task", "shares"), [(1, [10, 10, 10, 5]), (10, [10, 10, 10, 5]), (25, [20, 15]), (99, [35])]
)
def test_parquet_is_cut_between_row_groups(tmp_path, rows_per_task, shares):
    path = write_images(tmp_path / "a.parquet", images(35))
    splits = plan([str(path)], NONE, rows_per_task)
    assert [split.rows for split in splits] == shares
    rows = [list(read(split, NONE)) for split in splits]
    assert [len(part) for part in rows] == shares
    assert [row for part in rows for row in part] == [
        Sample(key=f"a-{i:09d}", source=f"{path}#{i}", caption=f"c{i}", data=b"image %d" % i) for i in range(35)
    ]


def test_parquet_of_hugging_face(tmp_path):
    values = [
        {"bytes": b"1", "path": "x.jpg"},
        {"bytes": None, "path": "sub/y.jpg"},
        {"bytes": None, "path": None},
        None,
    ]
    table = pa.table({"image": values, "text": ["a", None, "c", "d"], "id": [7, 8, None, 9]})
    rows = rows_of(write_images(tmp_path / "a.parquet", table))
    assert reasons(rows) == ["ok", "ok", "no_image", "no_image"]
    assert [row.key for row in rows] == ["7", "8", "a-000000002", "9"]
    assert (rows[0].data, rows[0].uri) == (b"1", None)
    assert (rows[1].data, rows[1].uri, rows[1].caption) == (None, f"{tmp_path}/sub/y.jpg", None)


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.string_view()])
def test_parquet_captions_of_any_string_type(tmp_path, kind):
    table = images(3).set_column(1, "caption", pa.array(["é", None, "c"]).cast(kind))
    assert [row.caption for row in rows_of(write_images(tmp_path / "a.parquet", table))] == ["é", None, "c"]


def test_parquet_caption_that_is_not_utf8_spoils_no_other_row(tmp_path):
    bad = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"a\xff")]
    )
    table = images(2).set_column(1, "caption", bad)
    path = write_images(tmp_path / "a.parquet", table)
    assert reasons(rows_of(path)) == ["ok", "bad_encoding"]
    assert [row.caption for row in rows_of(path, Columns(encoding="cp1252"))] == ["a", "\xff"]


def test_images_in_a_dictionary(tmp_path):
    table = pa.table({"image": pa.array([b"x", b"y", b"x"]).dictionary_encode(), "caption": ["a", "b", "c"]})
    rows = rows_of(write_images(tmp_path / "a.parquet", table))
    assert [(row.data, row.caption) for row in rows] == [(b"x", "a"), (b"y", "b"), (b"x", "c")]


def test_download_that_failed_never_had_an_image(tmp_path):
    table = pa.table(
        {
            "jpg": [b"x", None, None, None],
            "caption": ["a", "b", "c", "d"],
            "key": ["0", "1", "2", "3"],
            "status": ["success", "failed_to_download", "failed_to_resize", "success"],
            "error_message": [None, "HTTP Error 404", "", None],
        }
    )
    rows = rows_of(write_images(tmp_path / "a.parquet", table))
    assert reasons(rows) == ["ok", "not_downloaded", "not_downloaded", "no_image"]
    assert [row.key for row in rows] == ["0", "1", "2", "3"]


def test_images_by_path_alone(tmp_path):
    table = pa.table({"image": [{"path": "a.jpg"}, {"path": None}], "caption": ["a", "b"]})
    rows = rows_of(write_images(tmp_path / "a.parquet", table))
    assert rows[0].uri == f"{tmp_path}/a.jpg"
    assert reasons(rows) == ["ok", "no_image"]


def test_parquet_images_are_read_a_few_at_a_time(tmp_path):
    blob = os.urandom(100_000)
    table = pa.table({"jpg": [blob[i:] for i in range(1000)], "caption": ["x"] * 1000})
    # A page is the least that can be read: by default Arrow closes one only every 1024 rows.
    path = write_images(tmp_path / "a.parquet", table, 1000, use_dictionary=False, write_batch_size=16)
    (split,) = plan([str(path)], NONE, 1000)
    del table
    before = pa.total_allocated_bytes()
    # Arrow reads Python's files into Python's memory.
    tracemalloc.start()
    try:
        arrow_peak = max(pa.total_allocated_bytes() - before for _ in read(split, NONE))
        python_peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert arrow_peak < 40_000_000
    assert python_peak < 40_000_000
