"""Which reader takes an input, and which inputs are refused before any is read."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.errors import UsageError
from face0.readers.planning import plan, read
from face0.readers.samples import Columns
from tests.fixtures.inputs import NONE, captioned, reasons, write_tar


def test_inputs_are_planned_once_each_in_order(tmp_path):
    for name in ("b.tar", "a.tar"):
        write_tar(tmp_path / name, captioned(1))
    splits = plan([f"{tmp_path}/b.tar", f"{tmp_path}/*.tar", f"file://{tmp_path}/a.tar"], NONE, 10)
    assert [Path(split.uri).name for split in splits] == ["b.tar", "a.tar"]


def test_unknown_ending_and_no_match_are_refused(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"")
    with pytest.raises(UsageError, match=r"\.tar.*\.parquet.*\.jsonl"):
        plan([f"{tmp_path}/a.bin"], NONE, 10)
    with pytest.raises(UsageError, match="no file matches"):
        plan([f"{tmp_path}/b.tar"], NONE, 10)


@pytest.mark.parametrize(
    ("table", "columns", "reader"),
    [
        ({"image": [b"1"], "url": ["u"], "caption": ["c"]}, NONE, "parquet_images"),
        ({"image": [b"1"], "url": ["u"], "caption": ["c"]}, Columns(url="url"), "uri_list"),
        ({"image": ["a.jpg"], "caption": ["c"]}, NONE, "uri_list"),
        ({"URL": ["u"], "TEXT": ["c"]}, NONE, "uri_list"),
        ({"photo": [b"1"], "url": ["u"], "caption": ["c"]}, Columns(image="photo"), "parquet_images"),
    ],
)
def test_parquet_goes_to_the_reader_of_its_columns(tmp_path, table, columns, reader):
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    (split,) = plan([f"{tmp_path}/a.parquet"], columns, 10)
    assert split.reader == reader
    assert reasons(list(read(split, columns))) == ["ok"]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_empty_list_is_refused_at_planning(tmp_path, ending):
    (tmp_path / f"a.{ending}").write_bytes(b"")
    with pytest.raises(UsageError):
        plan([f"{tmp_path}/a.{ending}"], NONE, 10)
