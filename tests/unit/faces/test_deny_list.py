"""Deny lists: people whose pictures are left out from the start."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from face0.errors import UsageError
from face0.faces.bank import write_bank
from face0.faces.deny_list import Matcher, read_deny
from face0.faces.from_shards import of_shards
from face0.shards.files import open_shards
from face0.statistics.vectors import unit
from schemas.face_bank import Kind
from schemas.job import Ledger
from tests.fixtures.holdings import ANNA, BOB, CORA, DIM, EMBEDDER, bank, face, like
from tests.fixtures.pictures import assert_complete, augment, captioned, contents, original, rows, success, write_tar

# --- The rule


def test_a_face_is_denied_from_the_threshold_on():
    deny = Matcher(np.stack([ANNA, BOB]), 0.8)
    faces = unit(np.stack([ANNA, like((0.81, ANNA), (0.586, CORA)), like((0.79, BOB), (0.613, CORA)), CORA, -ANNA]))
    assert deny.matches(faces).tolist() == [True, True, False, False, False]
    assert np.allclose(deny.similarity(faces), [1, 0.81, 0.79, 0, 0], atol=1e-3)
    assert deny.matches(np.empty((0, DIM), np.float32)).tolist() == []


def test_a_face_that_is_no_number_matches_nobody_and_hides_nobody():
    deny = Matcher(np.stack([ANNA]), 0.8)
    assert deny.matches(np.stack([np.full(DIM, np.nan, np.float32), ANNA])).tolist() == [False, True]


def test_a_bank_is_a_deny_list_of_all_its_faces(tmp_path):
    uri = bank(str(tmp_path / "b.parquet"), face("a", 5 * ANNA, Kind.PHOTOS, []), face("b", BOB, Kind.RANDOM, []))
    denied = read_deny(uri, 0.7, EMBEDDER)
    assert denied.load().matches(np.stack([ANNA, BOB, CORA])).tolist() == [True, True, False]
    bank(uri, face("a", CORA, Kind.PHOTOS, []))
    with pytest.raises(UsageError, match=r"b\.parquet has changed since the job was started"):
        denied.load()


@pytest.mark.parametrize(
    ("faces", "embedder", "said"),
    [
        (
            [face("a", ANNA, Kind.PHOTOS, [])],
            {**EMBEDDER, "sha256": "11"},
            r"of different embedders \(sha256: 00, 11\)",
        ),
        ([face("a", ANNA, Kind.PHOTOS, [])], {"name": "vggface2"}, "name: onnx:test.onnx, vggface2"),
        ([face("a", None, Kind.PHOTOS, [])], EMBEDDER, "the face 'a' of .* has no vector"),
        ([face("a", 0 * ANNA, Kind.PHOTOS, [])], EMBEDDER, "the face 'a' of .* has no vector"),
        ([], EMBEDDER, "has no faces"),
    ],
)
def test_a_bank_that_would_deny_nobody_or_anybody_is_refused(tmp_path, faces, embedder, said):
    uri = bank(str(tmp_path / "b.parquet"), *faces)
    with pytest.raises(UsageError, match=said):
        read_deny(uri, 0.7, embedder)


# --- In augment


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = [(f"{name}.png", original(name)) for name in ("astronaut", "coffee", "admiral")]
    return write_tar(tmp_path_factory.mktemp("in") / "photos.tar", captioned(pictures))


@pytest.fixture(scope="module")
def denied(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bank of the astronaut alone."""
    folder = tmp_path_factory.mktemp("bank")
    assert augment(photos, folder / "out") == 0
    shards = open_shards([str(folder / "out")])
    write_bank(str(folder / "denied.parquet"), of_shards(shards, ["astronaut"]), shards[0].dim, shards[0].embedder)
    return folder / "denied.parquet"


def test_denied_people_are_left_out_and_counted(photos, denied, tmp_path, capsys):
    options = ["--deny", str(denied), "--deny-threshold", "0.999", "--max-failures", "1"]
    assert augment(photos, tmp_path / "out", *options) == 0
    assert_complete(tmp_path / "out")
    assert success(tmp_path / "out")["ledger"] == asdict(Ledger(read=3, written=1, no_face=1, failed=1))
    assert [row["key"] for row in rows(tmp_path / "out")] == ["admiral"]
    (failure,) = rows(tmp_path / "out", "failures")
    assert (failure["key"], failure["stage"], failure["reason"]) == ("astronaut", "faces", "denied")
    # The same list goes on; another is another configuration
    before = contents(tmp_path / "out")
    assert json.loads(before["job.json"])["config"]["deny"]["threshold"] == 0.999
    assert augment(photos, tmp_path / "out", *options) == 0
    assert contents(tmp_path / "out") == before
    assert augment(photos, tmp_path / "out", *options, "--deny-threshold", "0.5") == 2
    assert "deny.threshold: " in capsys.readouterr().err


def test_a_list_that_is_half_given_or_of_another_embedder_is_refused(photos, denied, tmp_path, capsys):
    assert augment(photos, tmp_path / "out", "--deny", str(denied)) == 2
    assert "--deny and --deny-threshold go together" in capsys.readouterr().err
    assert augment(photos, tmp_path / "out", "--deny-threshold", "0.5") == 2
    options = ["--deny", str(denied), "--deny-threshold", "0.5", "--embedder", "random:1"]
    assert augment(photos, tmp_path / "out", *options) == 2
    assert "different embedders (name: random:0, random:1)" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_output_from_before_there_were_deny_lists_goes_on(photos, tmp_path):
    assert augment(photos, tmp_path / "out") == 0
    job = tmp_path / "out" / "job.json"
    record = json.loads(job.read_text())
    del record["config"]["deny"]
    job.write_text(json.dumps(record))
    assert augment(photos, tmp_path / "out") == 0
