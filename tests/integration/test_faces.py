"""``face0 faces`` from its command line to the bank that it writes."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from face0.faces.bank import FaceBank, read_bank
from face0.faces.edits import noisy
from jobs.main import main
from schemas.face_bank import Kind
from tests.fixtures.pictures import augment, captioned, original, picture, rows, write_tar
from tests.fixtures.renders import commit, row


def faces(way: str, *args: object) -> int:
    return main(["faces", way, *map(str, args)])


def from_photos(folder: Path, output: Path) -> FaceBank:
    assert faces("from-photos", folder, "--embedder", "random:0", "--threads", 1, "--output", output) == 0
    return read_bank(str(output))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    (folder / "admiral.jpg").write_bytes(original("admiral"))
    (folder / "nobody.png").write_bytes(original("coffee"))
    (folder / "anna").mkdir()
    for side in (200, 240):
        (folder / "anna" / f"{side}.jpg").write_bytes(picture("astronaut", side))
    (folder / "anna" / "broken.jpg").write_bytes(picture("astronaut")[:2000])
    return folder


@pytest.fixture(scope="module")
def bank(photographs, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("bank") / "bank.parquet"
    from_photos(photographs, path)
    return path


# --- Photographs


def test_photographs_become_a_bank(photographs, tmp_path, capsys):
    found = from_photos(photographs, tmp_path / "bank.parquet")
    assert found.dim == 1792
    assert found.embedder["name"] == "random:0"
    assert list(found.faces) == ["admiral", "anna", "nobody"]
    anna = found.faces["anna"].provenance["sources"]
    assert [Path(source["uri"]).name for source in anna] == ["200.jpg", "240.jpg"]
    assert sum(source["weight"] for source in anna) == pytest.approx(1, abs=1e-5)
    assert anna[0]["weight"] < anna[1]["weight"]
    assert found.faces["nobody"].vector is None
    assert Image.open(io.BytesIO(found.faces["admiral"].portrait)).format == "JPEG"
    told = capsys.readouterr()
    assert "3 faces, 1 of them without a vector" in told.out
    assert "nobody: nobody.png no face was found" in told.err
    assert "anna: broken.jpg cannot be read" in told.err


def test_a_bank_of_nobody_ends_with_1(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "coffee.png").write_bytes(original("coffee"))
    args = ("from-photos", tmp_path / "photos", "--embedder", "random:0", "--output", tmp_path / "bank.parquet")
    assert faces(*args) == 1
    assert read_bank(str(tmp_path / "bank.parquet")).faces["coffee"].note == "coffee.png no face was found"


# --- Shards


def test_rows_of_shards_become_a_bank(shards, tmp_path):
    (tmp_path / "keys.txt").write_text("p0003\n\np0020\n")
    out = tmp_path / "bank.parquet"
    assert faces("from-shards", shards, "--key", "p0014", "--keys", tmp_path / "keys.txt", "--output", out) == 0
    found = read_bank(str(out))
    expected = {each["key"]: each for each in rows(shards)}
    assert list(found.faces) == ["p0014", "p0003", "p0020"]
    assert found.embedder["name"] == "random:0"
    for key, face in found.faces.items():
        assert np.array_equal(face.vector, np.float32(expected[key]["embedding"]))
        assert face.provenance == {"sources": [{name: expected[key][name] for name in ("key", "source", "sha256")}]}
        assert face.kind == Kind.SHARD
        assert face.portrait
        assert face.note == ""


def test_a_key_of_several_rows_and_a_row_without_a_face(tmp_path):
    for name in ("a", "b"):
        write_tar(tmp_path / f"{name}.tar", captioned([("x.jpg", picture("astronaut")), ("c.jpg", picture("coffee"))]))
    assert augment([tmp_path / "a.tar", tmp_path / "b.tar"], tmp_path / "out", "--keep-faceless") == 0
    out = tmp_path / "bank.parquet"
    assert faces("from-shards", tmp_path / "out", "--key", "x", "--key", "c", "--output", out) == 0
    found = read_bank(str(out)).faces
    assert found["x"].note.startswith("2 rows have this key: this is the one of ")
    assert found["c"].vector is None
    assert "the row has no face" in found["c"].note


# --- Results


@pytest.fixture
def renders(tmp_path) -> Path:
    folder = tmp_path / "renders"
    seen = row(1, face_vector=[1.0, 2.0, 3.0], box=[60.0, 60.0, 140.0, 160.0])
    dropped = row(3, face_vector=[3.0, 2.0, 1.0], box=[60.0, 60.0, 140.0, 160.0], image=None)
    commit(str(folder), [seen, row(2, faces_found=0), dropped])
    job = json.loads((folder / "job.json").read_text())
    job["config"]["embedder"] = {"name": "made up", "sha256": "0" * 64}
    (folder / "job.json").write_text(json.dumps(job))
    (folder / "images").mkdir()
    (folder / seen["image"]).write_bytes(picture("astronaut"))
    return folder


def test_faces_of_generated_images_become_a_bank(renders, tmp_path):
    ids = [f"{number:032x}" for number in (3, 1, 2)]
    out = tmp_path / "bank.parquet"
    assert faces("from-results", renders, *(word for each in ids for word in ("--request", each)), "--output", out) == 0
    found = read_bank(str(out))
    assert (found.dim, found.embedder) == (3, {"name": "made up", "sha256": "0" * 64})
    assert list(found.faces) == ids
    dropped, seen, faceless = found.faces.values()
    assert np.array_equal(seen.vector, [1, 2, 3])
    assert seen.kind == Kind.RESULT
    assert seen.provenance == {"sources": [{"request_id": ids[1]}], "results": str(renders)}
    assert seen.portrait
    assert (dropped.portrait, dropped.note) == (None, "")
    assert (faceless.vector, faceless.note) == (None, "no face was found in the image")


def test_results_without_an_embedder_have_no_faces(tmp_path, capsys):
    commit(str(tmp_path / "renders"), [row(1)])
    assert faces("from-results", tmp_path / "renders", "--request", f"{1:032x}", "--output", tmp_path / "b") == 2
    assert "run face0 generate with --embedder" in capsys.readouterr().err


# --- The space


def test_a_space_is_fitted_and_drawn_from(space, shards, tmp_path, capsys):
    record = json.loads((space / "space.json").read_text())
    assert record["corpus"] == [str(shards)]
    assert (record["rows"], record["faces"], record["dim"]) == (24, 24, 1792)
    assert record["embedder"]["name"] == "random:0"
    assert any("24 faces are few" in warning for warning in record["warnings"])
    for count in (5, 3):
        out = tmp_path / f"{count}.parquet"
        assert faces("sample", space, "--n", count, "--seed", 4, "--output", out) == 0
    assert "draws came too near to a face of the corpus, and were drawn again" in capsys.readouterr().out
    five, three = (read_bank(str(tmp_path / f"{count}.parquet")) for count in (5, 3))
    assert five.embedder == record["embedder"]
    assert list(five.faces) == [f"random-4-{i:06d}" for i in range(5)]
    assert np.array_equal(five.vectors()[1][:3], three.vectors()[1])
    assert five.faces["random-4-000001"].provenance["space_sha256"] == record["sha256"]


@pytest.mark.long
def test_a_space_is_the_same_however_many_processes_read_the_shards(space, shards, tmp_path):
    options = ("--direct_running_mode", "multi_processing", "--direct_num_workers", 2)
    assert faces("fit", shards, "--output", tmp_path / "space", *options) == 0
    banks = []
    for each in (space, tmp_path / "space"):
        assert faces("sample", each, "--n", 3, "--output", tmp_path / "bank.parquet") == 0
        banks.append(read_bank(str(tmp_path / "bank.parquet")).vectors()[1])
    assert np.abs(banks[0] - banks[1]).max() < 1e-2 * np.abs(banks[0]).max()


# --- Edits


def test_faces_are_made_of_faces(bank, tmp_path):
    before = read_bank(str(bank))
    admiral, anna = (before.faces[name].vector for name in ("admiral", "anna"))
    mixed, moved, varied = (tmp_path / f"{name}.parquet" for name in ("mixed", "moved", "varied"))
    assert faces("mix", bank, "--from", "admiral", "--to", "anna", "--steps", 3, "--output", mixed) == 0
    halfway = read_bank(str(mixed)).faces["admiral-anna-0.5"]
    assert np.allclose(halfway.vector, (admiral + anna) / 2, rtol=1e-5, atol=1e-5)
    args = ("--from", "admiral", "--to", "anna", "--face", "admiral-anna-0.5", "--strength", -0.5, 0.5)
    assert faces("direction", bank, mixed, *args, "--output", moved) == 0
    found = read_bank(str(moved))
    assert found.embedder == before.embedder
    assert np.allclose([face.vector for face in found.faces.values()], [admiral, anna], rtol=1e-4, atol=1e-4)
    assert faces("noise", bank, "--face", "anna", "--sigma", 0.1, "--count", 2, "--seed", 9, "--output", varied) == 0
    assert np.array_equal(read_bank(str(varied)).faces["anna-noise-0.1-10"].vector, noisy(anna, 0.1, 10))


# --- What is refused


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["from-photos", "{tmp}", "--embedder", "random:0"], "no photographs lie in"),
        (["from-photos", "{tmp}/absent", "--embedder", "random:0"], "is no folder"),
        (["from-photos", "{photos}", "--embedder", "arcface"], "no embedder 'arcface'"),
        (["from-shards", "{shards}"], "no rows are named: give --key K or --keys FILE"),
        (["from-shards", "{shards}", "--key", "p0001", "--key", "zoe"], "hold no key 'zoe': look them up"),
        (["from-shards", "{shards}", "--keys", "{tmp}/absent"], "absent as text"),
        (["from-shards", "{tmp}", "--key", "a"], "holds no committed task of augment"),
        (["from-results", "{renders}", "--request", "zoe"], "hold no request 'zoe'"),
        (["from-results", "{renders}", "--request", f"{2:032x}"], "no face was found in any of these images"),
        (["from-results", "{shards}", "--request", "a"], "is the output of face0 augment"),
        (["fit", "{tmp}"], "holds no committed task of augment"),
        (["fit", "{shards}", "--runner", "DaskRunner"], "is refused"),
        (["sample", "{tmp}", "--n", "3"], "holds no face space"),
        (["mix", "{bank}", "--from", "anna", "--to", "zoe"], "holds no face 'zoe'"),
        (["noise", "{bank}", "--face", "nobody", "--sigma", "1"], "'nobody' has no vector"),
    ],
)
def test_wrong_commands_end_with_2_and_write_nothing(
    args, message, photographs, shards, renders, bank, tmp_path, capsys
):
    empty = tmp_path / "empty"
    empty.mkdir()
    places = {"tmp": empty, "photos": photographs, "shards": shards, "renders": renders, "bank": bank}
    assert faces(*(each.format(**places) for each in args), "--output", tmp_path / "out") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_bank_is_a_table(bank):
    found = pq.read_table(bank)
    assert found.column_names == ["face_id", "vector", "identity_vector", "kind", "provenance", "portrait", "note"]
    assert found["note"].to_pylist()[0] == ""
