"""Columns that come along into the shards, and conditions on them: a command line in, a folder out."""

import json
from dataclasses import asdict

import duckdb
import pyarrow.parquet as pq
import pytest

from schemas.job import Ledger
from tests.fixtures.pictures import assert_complete, augment, original, success, write_tar

SCORES = {"admiral": 5.75, "astronaut": 6, "coffee": 3.5, "chelsea": None}


@pytest.fixture
def photos(tmp_path):
    members = []
    for name, score in SCORES.items():
        record = {"caption": f"a picture of {name}", "aesthetic": score, "identity": f"00{len(name)}"}
        image = original(name) if name != "coffee" else b"is not even looked at"
        members += [(f"{name}.jpg", image), (f"{name}.json", json.dumps(record).encode())]
    return write_tar(tmp_path / "a.tar", members)


def rows(output):
    return duckdb.sql(f"select * from '{output}/shards/*.parquet' order by key").fetchall()


def test_rows_that_are_not_wanted_are_counted_and_not_decoded(photos, tmp_path, capsys):
    output = tmp_path / "out"
    assert augment(photos, output, "--where", "aesthetic >= 5.5", "--max-failures", "0") == 0
    assert_complete(output)
    assert success(output)["ledger"] == asdict(Ledger(read=4, written=2, filtered=2))
    assert "read 4 = written 2 + no_face 0 + filtered 2 + failed 0" in capsys.readouterr().out
    (shard,) = (output / "shards").glob("*.parquet")
    assert "aesthetic" not in pq.read_schema(shard).names


def test_columns_come_along_with_their_types(photos, tmp_path):
    output = tmp_path / "out"
    options = ("--keep-columns", "aesthetic,identity", "--where", "aesthetic is not None and aesthetic > 5")
    assert augment(photos, output, *options) == 0
    found = duckdb.sql(f"select key, aesthetic, identity from '{output}/shards/*.parquet' order by key")
    assert [str(kind) for kind in found.types] == ["VARCHAR", "DOUBLE", "VARCHAR"]
    assert found.fetchall() == [("admiral", 5.75, "007"), ("astronaut", 6.0, "009")]
    # The same command goes on, another one is another job.
    assert augment(photos, output, *options) == 0
    assert augment(photos, output, *options[:3], "aesthetic > 6") == 2


def test_type_is_what_was_asked_for(photos, tmp_path, capsys):
    output = tmp_path / "out"
    assert augment(photos, output, "--keep-columns", "aesthetic:int64,identity:double", "--where", "aesthetic > 5") == 0
    found = duckdb.sql(f"select aesthetic, identity from '{output}/shards/*.parquet' order by key")
    assert found.fetchall() == [(None, 7.0), (6, 9.0)]
    assert "aesthetic is 5.75, no int64" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--keep-columns", "beauty", "beauty"),
        ("--keep-columns", "caption", "shards have a column of this name"),
        ("--keep-columns", "aesthetic:float", "NAME:TYPE"),
        ("--where", "beauty > 5", "beauty"),
        ("--where", "aesthetic > ", "does not read as a condition"),
    ],
)
def test_what_cannot_be_is_refused(photos, tmp_path, capsys, option, value, says):
    assert augment(photos, tmp_path / "out", option, value) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_failed_rows_run_again_beside_those_that_are_not_wanted(photos, tmp_path):
    output = tmp_path / "out"
    options = ("--where", "aesthetic is None or aesthetic < 6", "--keep-columns", "identity", "--max-failures", "9")
    assert augment(photos, output, *options) == 0
    ledger = success(output)["ledger"]
    assert ledger == asdict(Ledger(read=4, written=1, no_face=1, filtered=1, failed=1))
    before = rows(output)
    assert augment(photos, output, *options, "--retry-failed", "not_an_image") == 0
    assert success(output)["ledger"] == ledger
    assert rows(output) == before
