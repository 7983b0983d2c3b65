"""Manifests: rows of one's own, and those that are refused."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.errors import UsageError
from face0.generation.manifest import cross, read_manifest
from schemas.requests import MANIFEST


@pytest.mark.parametrize("name", ["m.csv", "m.tsv", "m.jsonl", "m.parquet"])
def test_a_manifest_of_ones_own_needs_prompts_only(tmp_path: Path, name: str) -> None:
    path, rows = tmp_path / name, [{"prompt": 'a "cat", sitting', "seed": 3}, {"prompt": "a dog", "seed": None}]
    if name.endswith("jsonl"):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        mark = "," if name.endswith("csv") else "\t"
        path.write_text(f'prompt{mark}seed\n"a ""cat"", sitting"{mark}3\na dog{mark}\n')
    table = read_manifest(str(path))
    assert table.schema == MANIFEST
    assert table["prompt"].to_pylist() == ['a "cat", sitting', "a dog"]
    assert table["seed"].to_pylist() == [3, 0]
    assert table["w"].to_pylist() == [7.5, 7.5]
    assert table["sampler"].to_pylist() == ["ddim", "ddim"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("face_id,seed\nanna,1\n", "has no column prompt, only face_id, seed"),
        ("prompt,seeds\na,1\n", "columns that a manifest does not: seeds"),
        ("prompt,seed\na,many\n", "the column seed is not int64"),
        ("prompt,seed\n", "has no rows"),
        ("", "cannot read"),
    ],
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_manifest(str(tmp_path / "m.csv"))


def test_a_manifest_of_no_faces_is_refused():
    with pytest.raises(UsageError, match="no face has a vector"):
        cross(["a prompt"], [], [0])


@pytest.mark.parametrize("name", ["m.csv", "m.tsv", "m.jsonl", "m.parquet"])
def test_ids_stay_what_they_are(tmp_path: Path, name: str) -> None:
    path, ids = tmp_path / name, ["00012", "1.10", "2020-01-02", "null"]
    rows = [{"prompt": "a", "face_id": face_id, "steps": 2} for face_id in ids]
    if name.endswith("jsonl"):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif name.endswith("parquet"):
        table = pa.Table.from_pylist(rows)
        table = table.set_column(1, "face_id", table["face_id"].dictionary_encode())
        pq.write_table(table.append_column("__index_level_0__", pa.array(range(4))), path)
    else:
        mark = "," if name.endswith("csv") else "\t"
        path.write_text("\n".join(mark.join(map(str, row)) for row in [rows[0].keys(), *(r.values() for r in rows)]))
    table = read_manifest(str(path))
    assert table["face_id"].to_pylist() == ids
    assert table["steps"].to_pylist() == [2] * 4
