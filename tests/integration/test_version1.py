"""Outputs of version 1, which hold no identity vectors, still open, report, trace and forget.

``tests/fixtures/version1`` was written by face0 0.1.0 in a folder /data: three photographs of two people as shards, a
bank of them and one of mixes, and four renders, one of them without a face. Photographs took the place of the model's
images, so that there are faces on these.
"""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.embedders.specification import embedder_config
from face0.evaluation.encoders import CONDITIONING
from face0.evaluation.vectors import read_identified
from face0.faces.bank import read_bank
from face0.faces.deny_list import read_deny
from face0.generation.results import open_results
from face0.model.pipeline import Face0Pipeline
from face0.model.projection import FaceProjection
from face0.reports.audit import write_audit
from face0.reports.characters import write_characters
from face0.reports.generation import write_report
from face0.shards.files import open_shards
from jobs.main import main
from schemas.requests import RESULTS
from tests.fixtures.models import write_model
from tests.fixtures.pictures import assert_complete, rows

VERSION_1 = Path(__file__).parents[1] / "fixtures" / "version1"


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A copy of all of it."""
    return Path(shutil.copytree(VERSION_1, tmp_path / "world"))


@pytest.fixture(scope="module")
def embedder():
    return embedder_config("random:0").load("cpu")


def places(world: Path) -> list[str]:
    names = ("shards", "people.parquet", "mixed.parquet", "renders")
    return [word for name in names for word in ("--in", str(world / name))]


def test_the_fixture_is_of_version_1(world):
    for path in world.rglob("*.parquet"):
        schema = pq.read_schema(path)
        assert schema.metadata[b"face0.version"] == b"1"
        assert "identity_vector" not in schema.names


def test_shards_open(world):
    (shard,) = open_shards([str(world / "shards")])
    assert (shard.dim, shard.embedder["name"], shard.file.rows) == (1792, "random:0", 3)


def test_banks_open_and_get_their_identity_vectors_where_they_are_needed(world, embedder):
    bank = read_bank(str(world / "people.parquet"))
    assert list(bank.faces) == ["anna", "bob"]
    assert all(face.identity_vector is None for face in bank.faces.values())
    names, vectors = bank.identified().identity_vectors()
    assert names == ["anna", "bob"]
    assert np.allclose(vectors, embedder.identity(bank.vectors()[1]), atol=1e-6)
    denied = read_deny(str(world / "people.parquet"), 0.99, bank.embedder).load()
    assert denied.matches(vectors).all()


def test_edits_of_a_bank_of_version_1_are_of_todays(world):
    output = str(world / "varied.parquet")
    noise = ["--face", "anna", "--sigma", "0.1", "--output", output]
    assert main(["faces", "noise", str(world / "people.parquet"), *noise]) == 0
    assert pq.read_schema(output).metadata[b"face0.version"] == b"3"
    read_bank(output).identity_vectors()


def test_results_open_with_identity_vectors(world, embedder):
    results = open_results(str(world / "renders"))
    assert (results.rows, results.finished) == (4, True)
    assert results.table().schema.equals(RESULTS)
    assert results.table(["identity_vector"]).num_rows == 4
    table = read_identified(results, ["request_id", "faces_found", "identity_vector"])
    vectors = results.table(["face_vector"])["face_vector"].to_pylist()
    for found, vector, identity in zip(
        table["faces_found"].to_pylist(), vectors, table["identity_vector"].to_pylist(), strict=True
    ):
        assert (found > 0) == (vector is not None) == (identity is not None)
        if vector is not None:
            (expected,) = embedder.identity(np.array([vector], np.float32))
            assert np.allclose(np.array(identity, np.float32), expected, atol=1e-3)


def test_the_report_is_written(world):
    write_report(str(world / "renders"))
    page = (world / "renders" / "report.html").read_text()
    assert "a portrait" in page
    assert "requested 4 = generated 4 + failed 0" in page


def test_characters_and_audit_measure_them(world):
    """Two faces, one scene: that there is a figure is what is tested."""
    results = open_results(str(world / "renders"))
    found = write_characters(str(world / "characters"), results)
    assert found.encoders == [CONDITIONING]
    for path in world.glob("renders/requests/*.parquet"):
        table = pq.read_table(path)
        labels = pa.array(["random"] * len(table))
        table = table.set_column(table.schema.get_field_index("label"), table.schema.field("label"), labels)
        pq.write_table(table, path)
    bank = read_bank(str(world / "people.parquet")).identified()
    assert write_audit(str(world / "audit"), results, bank=bank).encoders == [CONDITIONING]


def test_faces_of_results_become_a_bank(world):
    results = open_results(str(world / "renders")).table(["request_id", "faces_found"]).to_pylist()
    (request, *_) = [row["request_id"] for row in results if row["faces_found"]]
    output = str(world / "bank.parquet")
    assert main(["faces", "from-results", str(world / "renders"), "--request", request, "--output", output]) == 0
    names, _ = read_bank(output).identity_vectors()
    assert names == [request]


def test_a_photograph_is_traced(world, capsys):
    assert main(["trace", "anna-1.jpg", *places(world)]) == 0
    told = capsys.readouterr().out
    assert "row anna-1" in told
    assert f"face anna in {world}/people.parquet" in told
    assert f"face anna-bob-0.5 in {world}/mixed.parquet" in told
    assert told.count("seed") >= 2


def test_a_person_is_forgotten_and_the_other_stays(world, tmp_path):
    """By the photographs, which the shards hold as they were; without the mixes, one of which is the other person."""
    for row in rows(world / "shards"):
        if row["key"].startswith("anna"):
            (tmp_path / "photos" / "anna").mkdir(parents=True, exist_ok=True)
            (tmp_path / "photos" / "anna" / f"{row['key']}.jpg").write_bytes(row["image"])
    (world / "mixed.parquet").unlink()
    write_report(str(world / "renders"))
    whom = ["--photos", str(tmp_path / "photos"), "--embedder", "random:0", "--threshold", "0.99", "--device", "cpu"]
    where = [word for name in ("shards", "people.parquet", "renders") for word in ("--in", str(world / name))]
    assert main(["forget", *whom, *where, "--apply"]) == 0
    assert list(read_bank(str(world / "people.parquet")).faces) == ["bob"]
    assert [row["key"] for row in rows(world / "shards")] == ["bob-1"]
    assert_complete(world / "shards")
    assert {row["face_id"] for row in rows(world / "renders", "results")} == {"bob"}
    assert open_results(str(world / "renders")).table().schema.equals(RESULTS)
    assert "anna" not in (world / "renders" / "report.html").read_text()


def test_a_model_of_version_1_loads(tmp_path):
    """Its folder names a module that has moved."""
    index = write_model(tmp_path / "model") / "model_index.json"
    text = index.read_text()
    index.write_text(text.replace('"face0.model.projection"', '"face0.projection"'))
    assert index.read_text() != text
    pipe = Face0Pipeline.from_pretrained(tmp_path / "model", local_files_only=True, use_safetensors=True)
    assert isinstance(pipe.face_projection, FaceProjection)
