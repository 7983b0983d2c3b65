"""Tables that people write, in each format that is read."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.errors import UsageError
from face0.io.tables import file_format, read_rows, read_text

ROWS = [{"name": "a, b", "count": 1}, {"name": "two\nlines", "count": None}]


def write(path: Path) -> str:
    match file_format(str(path)):
        case "parquet":
            pq.write_table(pa.Table.from_pylist(ROWS), path)
        case "jsonl":
            path.write_text("\n".join(map(json.dumps, ROWS)))
        case "csv":
            path.write_text('name,count\n"a, b",1\n"two\nlines",\n')
        case "tsv":
            path.write_text('name\tcount\na, b\t1\n"two\nlines"\t\n')
    return str(path)


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.tsv", "t.jsonl", "t.ndjson", "t.v2.CSV"])
def test_a_table_is_the_same_in_every_format(tmp_path, name):
    assert read_rows(write(tmp_path / name)).to_pylist() == ROWS


@pytest.mark.parametrize("name", ["t.xlsx", "csv.txt"])
def test_another_ending_is_refused(tmp_path, name):
    (tmp_path / name).write_text("name\na\n")
    with pytest.raises(UsageError, match=r"\.parquet, \.csv, \.tsv or \.jsonl"):
        read_rows(str(tmp_path / name))


@pytest.mark.parametrize("name", ["t.parquet", "t.jsonl", "t.csv"])
@pytest.mark.parametrize("content", [b"\x00{broken", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(b"a,b\n1,2,3\n" if name.endswith("csv") else content)
    with pytest.raises(UsageError, match=f"cannot read .*{name}"):
        read_rows(str(path))


def test_text_is_utf8_with_or_without_a_mark(tmp_path):
    for data in ("é\n".encode(), "\ufeffé\n".encode()):
        (tmp_path / "t.txt").write_bytes(data)
        assert read_text(str(tmp_path / "t.txt")) == "é\n"
    (tmp_path / "t.txt").write_bytes("é".encode("latin-1"))
    with pytest.raises(UsageError, match="as UTF-8 text"):
        read_text(str(tmp_path / "t.txt"))
