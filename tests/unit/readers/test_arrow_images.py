"""Arrow files, and folders that Hugging Face's save_to_disk wrote."""

import json

import datasets
import pyarrow as pa
import pyarrow.feather
import pytest

from face0.errors import UsageError
from face0.readers import arrow_images, arrow_stream
from face0.readers.planning import plan, read
from face0.readers.samples import Columns, Split
from tests.fixtures.inputs import NONE, reasons, rows_of
from tests.fixtures.kinds import picture

TABLE = pa.table(
    {
        "image": [{"bytes": b"image %d" % i, "path": None} for i in range(9)] + [{"bytes": None, "path": "a.jpg"}],
        "text": [f"c{i}" for i in range(10)],
        "id": pa.array([f"k{i}" for i in range(10)]).dictionary_encode(),
        "score": list(range(10)),
    }
)


def stream(path, table=TABLE, rows=3, **options):
    with pa.ipc.new_stream(path, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=rows)
    return path


def file(path, **options):
    with pa.ipc.new_file(path, TABLE.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(TABLE, max_chunksize=3)
    return path


@pytest.mark.parametrize("write", [stream, file])
@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_both_forms_are_read(tmp_path, write, compression):
    path = write(tmp_path / "a.arrow", compression=compression)
    rows = rows_of(path, Columns(also=("score",)))
    assert [(row.key, row.caption, row.values) for row in rows] == [(f"k{i}", f"c{i}", {"score": i}) for i in range(10)]
    assert [row.data for row in rows[:9]] == [b"image %d" % i for i in range(9)]
    assert (rows[9].uri, rows[9].within) == (f"{tmp_path}/a.jpg", str(tmp_path))


def test_feather_is_read(tmp_path):
    pyarrow.feather.write_feather(TABLE, tmp_path / "a.feather")
    assert reasons(rows_of(tmp_path / "a.feather")) == ["ok"] * 10


def test_saved_data_sets_are_read(tmp_path):
    rows = [{"image": {"bytes": picture(), "path": None}, "caption": f"c{i}"} for i in range(4)]
    saved = datasets.Dataset.from_list(rows).cast_column("image", datasets.Image())
    saved.save_to_disk(tmp_path / "one", num_shards=2)
    stream(tmp_path / "one" / "cache-0123.arrow")  # of a map, and no part of the data set
    datasets.DatasetDict({"train": saved, "test": saved}).save_to_disk(tmp_path / "two")
    assert [row.caption for row in rows_of(tmp_path / "one")] == [f"c{i}" for i in range(4)]
    assert all(row.data == picture() for row in rows_of(tmp_path / "one"))
    assert len(rows_of(tmp_path / "two")) == 8
    assert {split.version for split in plan([str(tmp_path / "two")], NONE, 10)} != {""}


def test_records_of_a_saved_data_set_name_nothing_elsewhere(tmp_path):
    outside = stream(tmp_path / "outside.arrow")
    root = tmp_path / "in"
    root.mkdir()
    (root / "link.arrow").symlink_to(outside)
    for name in ("../outside.arrow", str(outside), "link.arrow", "gone.arrow", "state.json"):
        (root / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
        with pytest.raises(UsageError):
            plan([str(root)], NONE, 10)
    (root / "dataset_dict.json").write_text('{"splits": [".."]}')
    with pytest.raises(UsageError, match="no folder below"):
        plan([str(root)], NONE, 10)


def test_a_file_that_breaks_off_keeps_its_whole_batches(tmp_path):
    content = stream(tmp_path / "a.arrow").read_bytes()
    path = tmp_path / "cut.arrow"
    counts = []
    for cut in range(0, len(content), 41):
        path.write_bytes(content[:cut])
        rows = list(arrow_images.read(Split(reader="arrow_images", uri=str(path), size=cut), NONE))
        assert reasons(rows) == ["ok"] * (len(rows) - 1) + ["unreadable_input"]
        counts.append(len(rows) - 1)
    assert counts == sorted(counts)
    assert set(counts) == {0, 3, 6, 9, 10}


def test_bytes_that_changed_are_never_more_than_a_failure(tmp_path):
    content = stream(tmp_path / "a.arrow", TABLE.select(["image", "text"]), compression="lz4").read_bytes()
    path = tmp_path / "changed.arrow"
    for position in range(0, len(content), 53):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :])
        for row in read(Split(reader="arrow_images", uri=str(path), size=len(content)), Columns(caption="text")):
            assert row.key


def test_batches_that_are_too_large_are_refused(tmp_path, monkeypatch):
    path = stream(tmp_path / "a.arrow", rows=10)
    packed = stream(
        tmp_path / "b.arrow", pa.table({"image": [bytes(100_000)] * 10, "text": ["a"] * 10}), 10, compression="zstd"
    )
    monkeypatch.setattr(arrow_stream, "MAX_ARROW_BATCH_BYTES", 300)
    (failure,) = rows_of(path)
    assert "write it again with fewer rows" in failure.message
    monkeypatch.setattr(arrow_stream, "MAX_ARROW_BATCH_BYTES", 500_000)
    (failure,) = rows_of(packed)
    assert "unpacks to" in failure.message


def test_columns_that_are_missing_are_refused(tmp_path):
    path = stream(tmp_path / "a.arrow", TABLE.select(["image"]))
    with pytest.raises(UsageError, match="--caption-column"):
        plan([str(path)], NONE, 10)
    path = stream(tmp_path / "a.arrow", TABLE.select(["text"]))
    with pytest.raises(UsageError, match="to_parquet"):
        plan([str(path)], NONE, 10)


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"ARROW1\0\0" + b"\4\0\0\0\xf2\xff\xff\xff" + bytes(64) + b"ARROW1", "polars.read_ipc"),
        (b"FEA1" + bytes(64) + b"FEA1", "pandas.read_feather"),
    ],
)
def test_forms_without_a_stream_are_refused_with_what_reads_them(tmp_path, content, remedy):
    (tmp_path / "a.arrow").write_bytes(content)
    with pytest.raises(UsageError, match=remedy):
        plan([str(tmp_path / "a.arrow")], NONE, 10)
