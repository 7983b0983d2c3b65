"""Tables that people write, in each format that is read."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.errors import UsageError
from face0.io.tables import as_text, as_type, file_format, read_rows, read_text

ROWS = [{"name": "a, b", "count": 1}, {"name": '12" wide', "count": None}]


def write(path: Path) -> str:
    match file_format(str(path)):
        case "parquet":
            pq.write_table(pa.Table.from_pylist(ROWS), path)
        case "jsonl":
            path.write_text("\n".join(map(json.dumps, ROWS)))
        case "csv":
            path.write_text('name,count\n"a, b",1\n"12"" wide",\n')
        case "tsv":
            path.write_text('name\tcount\na, b\t1\n12" wide\t\n')
    return str(path)


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.tsv", "t.jsonl", "t.ndjson", "t.v2.CSV"])
def test_a_table_is_the_same_in_every_format(tmp_path, name):
    table = read_rows(write(tmp_path / name))
    assert as_text(table["name"]).to_pylist() == [row["name"] for row in ROWS]
    assert as_type(table["count"], pa.int32()).to_pylist() == [row["count"] for row in ROWS]


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
    with pytest.raises(UsageError, match=r"neither in UTF-8.*save it as UTF-8"):
        read_text(str(tmp_path / "t.txt"))


def test_names_stay_text(tmp_path):
    """Ids with leading zeros, versions, dates and words that others take for null are names."""
    names = ["00012", "1.0", "2020-01-01", "true", "NA", "1e5"]
    (tmp_path / "t.csv").write_text("face_id\n" + "\n".join(names))
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps({"face_id": name}) for name in names))
    pq.write_table(pa.table({"face_id": pa.array(names).dictionary_encode()}), tmp_path / "t.parquet")
    for ending in ("csv", "jsonl", "parquet"):
        assert as_text(read_rows(f"{tmp_path}/t.{ending}")["face_id"]).to_pylist() == names


def test_whole_numbers_with_gaps_have_no_point(tmp_path):
    pq.write_table(pa.table({"face_id": [12.0, None, 7.0], "other": [0.5, 1.0, None]}), tmp_path / "t.parquet")
    table = read_rows(f"{tmp_path}/t.parquet")
    assert as_text(table["face_id"]).to_pylist() == ["12", None, "7"]
    assert as_text(table["other"]).to_pylist()[0] == "0.5"
    (tmp_path / "t.csv").write_text("steps\n2.0\nNaN\n")
    assert as_type(read_rows(f"{tmp_path}/t.csv")["steps"], pa.int32()).to_pylist() == [2, None]


def test_index_of_pandas_is_no_column(tmp_path):
    pq.write_table(pa.table({"face_id": ["a"], "__index_level_0__": [3]}), tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text(",face_id\n3,a\n")
    for ending in ("csv", "parquet"):
        assert read_rows(f"{tmp_path}/t.{ending}").column_names == ["face_id"]


@pytest.mark.parametrize(("name", "delimiter"), [("t.csv", ","), ("t.tsv", "\t")])
def test_stray_quotation_mark_swallows_no_rows(tmp_path, name, delimiter):
    rows = [("prompt", "face_id"), ('"Untitled', "a"), ("a man", "b"), ('a doll of 12"', "c")]
    (tmp_path / name).write_text("".join(delimiter.join(row) + "\n" for row in rows))
    if name == "t.csv":
        with pytest.raises(UsageError, match=r"line 2 .*quotation mark"):
            read_rows(str(tmp_path / name))
    else:
        assert read_rows(str(tmp_path / name))["prompt"].to_pylist() == [prompt for prompt, _ in rows[1:]]


def test_tables_of_spreadsheets(tmp_path):
    (tmp_path / "t.tsv").write_bytes('prompt\tface_id\r\n"caf\xe9 ""Roma"""\t007\r\n'.encode("utf-16"))
    assert read_rows(f"{tmp_path}/t.tsv").to_pylist() == [{"prompt": 'caf\xe9 "Roma"', "face_id": "007"}]
    (tmp_path / "t.csv").write_bytes("prompt\ncaf\xe9\n".encode("cp1252"))
    with pytest.raises(UsageError, match="neither in UTF-8"):
        read_rows(f"{tmp_path}/t.csv")


@pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
def test_json_array_is_named(tmp_path, name):
    (tmp_path / name).write_text('[{"prompt": "a"},\n {"prompt": "b"}]')
    with pytest.raises(UsageError, match=r"jq -c"):
        read_rows(f"{tmp_path}/{name}")


def test_text_of_several_lines_is_no_stray_quotation_mark(tmp_path):
    (tmp_path / "t.csv").write_text('prompt,face_id\n"a man, tall,\nwith a hat, red",x\n"one\n\ntwo, three",y\n')
    assert read_rows(f"{tmp_path}/t.csv")["prompt"].to_pylist() == [
        "a man, tall,\nwith a hat, red",
        "one\n\ntwo, three",
    ]
