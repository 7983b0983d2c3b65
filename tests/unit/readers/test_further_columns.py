"""Values of the columns that come along."""

import datetime
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.errors import UsageError
from face0.readers.further_columns import MAX_CHARS, TYPES, as_type, parse_names, plain, to_array, type_of
from face0.readers.samples import Columns, Sample
from tests.fixtures.inputs import rows_of, write_tar


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5.5, 5.5),
        (7, 7),
        (True, True),
        ("a", "a"),
        (None, None),
        (float("nan"), None),
        (b"bytes", None),
        ([1, "é"], '[1, "é"]'),
        ({"a": 1}, '{"a": 1}'),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        ("half of a pair \ud800", "half of a pair �"),
        ("data:image/png;base64,AAAA", None),
        ("x" * (MAX_CHARS + 1), None),
    ],
)
def test_plain_values(value, expected):
    assert plain(value) == expected


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("5.5", "double", 5.5),
        (5, "double", 5.0),
        ("n/a", "double", None),
        ("inf", "double", None),
        ("7", "int64", 7),
        (7.0, "int64", 7),
        (7.5, "int64", None),
        (2**63, "int64", None),
        ("True", "bool", True),
        (0, "bool", False),
        ("maybe", "bool", None),
        ("007", "string", "007"),
        (5.5, "string", "5.5"),
        (True, "string", "true"),
        (None, "string", None),
    ],
)
def test_values_as_a_type(value, kind, expected):
    assert as_type(value, kind) == expected
    assert to_array([value], TYPES[kind]).to_pylist() == [expected]


def test_type_that_holds_all_of_some_values():
    assert type_of([1, None, 2]) == "int64"
    assert type_of([1, 2.5]) == "double"
    assert type_of([True]) == "bool"
    assert type_of(["007", 7]) == type_of([True, 1]) == type_of([None]) == "string"


def test_names_with_types():
    assert parse_names(["aesthetic:double", "identity", "a:b:int64"]) == {
        "aesthetic": "double",
        "identity": None,
        "a:b": "int64",
    }
    for wrong in ("a:float", ":double", ""):
        with pytest.raises(UsageError, match="NAME:TYPE"):
            parse_names([wrong])


# --- From every reader

COLUMNS = Columns(also=("aesthetic", "who"))
WANTED = [{"aesthetic": 5.5, "who": "a"}, {"aesthetic": 6.5, "who": "b"}]


def values_of(uri, columns=COLUMNS):
    rows = rows_of(uri, columns)
    assert all(isinstance(row, Sample) for row in rows), rows
    return [row.values for row in rows]


def test_of_a_tar(tmp_path):
    members = [
        member
        for i, values in enumerate(WANTED)
        for member in ((f"{i}.jpg", b"x"), (f"{i}.json", json.dumps({"caption": "c", **values}).encode()))
    ]
    assert values_of(write_tar(tmp_path / "a.tar", members)) == WANTED


def test_of_a_folder(tmp_path):
    for i, values in enumerate(WANTED):
        (tmp_path / f"{i}.jpg").write_bytes(b"x")
        (tmp_path / f"{i}.json").write_text(json.dumps({"caption": "c", **values}))
    assert values_of(tmp_path) == WANTED


@pytest.mark.parametrize("image", [{"jpg": [b"x", b"y"]}, {"url": ["a.jpg", "b.jpg"]}], ids=["images", "list"])
def test_of_parquet(tmp_path, image):
    table = pa.table({**image, "caption": ["c", "d"], "aesthetic": [5.5, 6.5], "who": ["a", "b"]})
    table = table.set_column(table.schema.get_field_index("who"), "who", table["who"].dictionary_encode())
    pq.write_table(table, tmp_path / "a.parquet")
    assert values_of(tmp_path / "a.parquet") == WANTED


def test_of_parquet_with_times_of_nanoseconds(tmp_path):
    when = pa.array([1], pa.timestamp("ns"))
    pq.write_table(pa.table({"jpg": [b"x"], "caption": ["c"], "when": when}), tmp_path / "a.parquet")
    assert values_of(tmp_path / "a.parquet", Columns(also=("when",))) == [{"when": "1970-01-01 00:00:00.000000001"}]


def test_of_json_lines(tmp_path):
    rows = [{"url": "a.jpg", "caption": "c", **values} for values in WANTED]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert values_of(tmp_path / "a.jsonl") == WANTED


def test_of_csv_they_are_text(tmp_path):
    (tmp_path / "a.csv").write_text("url,caption,aesthetic,who\na.jpg,c,5.5,a\nb.jpg,d,6.5,b\n")
    assert values_of(tmp_path / "a.csv") == [{**values, "aesthetic": str(values["aesthetic"])} for values in WANTED]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_column_that_is_not_there_is_refused_with_those_that_are(tmp_path, name):
    path = tmp_path / name
    if name == "a.parquet":
        pq.write_table(pa.table({"jpg": [b"x"], "caption": ["c"]}), path)
    else:
        path.write_text('{"url": "a.jpg", "caption": "c"}\n' if name == "a.jsonl" else "url,caption\na.jpg,c\n")
    with pytest.raises(UsageError, match=r"no one column 'aesthetic', which --keep-columns .*caption"):
        rows_of(path, COLUMNS)
