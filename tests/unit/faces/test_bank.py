"""Face banks: written and read back, on any file system."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.errors import UsageError
from face0.faces import bank
from face0.faces.bank import FACES_PER_ROW_GROUP, BankFace, FaceBank, identified, read_bank, write_bank
from face0.io import storage
from schemas.face_bank import Kind, face_bank

EMBEDDER = {"name": "made up", "sha256": "0" * 64, "crop": "five points 112"}


def face(name: str, number: float = 0, **values) -> BankFace:
    return BankFace(
        **{"face_id": name, "vector": np.array([number, 0.1, -1], np.float32), "kind": Kind.PHOTOS, **values}
    )


def test_a_bank_is_read_as_it_was_written(root):
    faces = [
        face("anna", provenance={"sources": [{"uri": "a.jpg", "weight": 0.5}]}, portrait=b"\xff\xd8jpeg"),
        face("nobody", vector=None, note="no face was found"),
        face("Zoë / 2", kind=Kind.RANDOM),
    ]
    uri = f"{root}/banks/bank.parquet"
    assert write_bank(uri, faces, 3, EMBEDDER) == 3
    found = read_bank(uri)
    assert (found.dim, found.embedder) == (3, EMBEDDER)
    assert list(found.faces) == ["anna", "nobody", "Zoë / 2"]
    for one, other in zip(faces, found.faces.values(), strict=True):
        assert (one.vector is None) == (other.vector is None)
        assert one.vector is None or np.array_equal(one.vector, other.vector)
        assert (other.kind, other.provenance, other.portrait, other.note) == (
            one.kind, dict(one.provenance), one.portrait, one.note
        )  # fmt: skip
    names, vectors = found.vectors()
    assert names == ["anna", "Zoë / 2"]
    assert (vectors.shape, vectors.dtype) == ((2, 3), np.float32)
    fs, path = storage.filesystem(root)
    assert [name.rpartition("/")[2] for name in fs.find(path)] == ["bank.parquet"]


@pytest.mark.parametrize("faces", [[], [face("nobody", vector=None)]])
def test_a_bank_without_a_vector(tmp_path, faces):
    write_bank(str(tmp_path / "bank.parquet"), faces, 3, EMBEDDER)
    found = read_bank(str(tmp_path / "bank.parquet"))
    assert found.vectors()[1].shape == (0, 3)
    assert len(found.faces) == len(faces)


def test_many_faces_are_streamed_in_order(tmp_path):
    count = 2 * FACES_PER_ROW_GROUP + 7
    uri = str(tmp_path / "bank.parquet")
    assert write_bank(uri, (face(f"f{i}", i) for i in range(count)), 3, EMBEDDER) == count
    assert pq.read_metadata(uri).num_row_groups == 3
    names, vectors = read_bank(uri).vectors()
    assert names == [f"f{i}" for i in range(count)]
    assert vectors[:, 0].tolist() == list(range(count))


@pytest.mark.parametrize("apart", [0, FACES_PER_ROW_GROUP])
def test_an_id_that_comes_twice_is_refused_and_nothing_is_written(tmp_path, apart):
    uri = tmp_path / "bank.parquet"
    write_bank(str(uri), [face("before")], 3, EMBEDDER)
    faces = [face("anna"), *(face(f"f{i}") for i in range(apart)), face("anna")]
    with pytest.raises(UsageError, match="'anna' comes twice"):
        write_bank(str(uri), faces, 3, EMBEDDER)
    assert list(read_bank(str(uri)).faces) == ["before"]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["bank.parquet"]


def test_a_bank_of_others_in_which_an_id_stands_twice(tmp_path):
    row = {"face_id": "anna", "vector": [1, 2, 3], "kind": "photos", "provenance": "{}", "portrait": None, "note": ""}
    pq.write_table(pa.Table.from_pylist([row, row], schema=face_bank(3, EMBEDDER)), tmp_path / "bank.parquet")
    with pytest.raises(UsageError, match="'anna' twice"):
        read_bank(str(tmp_path / "bank.parquet"))


def test_what_is_no_bank(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read the bank .*face0 faces from-photos"):
        read_bank(str(tmp_path / "absent.parquet"))
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(UsageError, match="cannot read the bank"):
        read_bank(str(tmp_path / "text.parquet"))
    pq.write_table(pa.table({"face_id": ["anna"]}), tmp_path / "other.parquet")
    with pytest.raises(UsageError, match="make a bank with `face0 faces`"):
        read_bank(str(tmp_path / "other.parquet"))


def test_a_bank_opens_in_pandas(tmp_path):
    pandas = pytest.importorskip("pandas")
    write_bank(str(tmp_path / "bank.parquet"), [face("anna", 5), face("nobody", vector=None)], 3, EMBEDDER)
    frame = pandas.read_parquet(tmp_path / "bank.parquet")
    assert frame.loc[0, "vector"][0] == 5
    assert frame.loc[1, "vector"] is None


# --- Identity vectors

ONNX = {"name": "onnx:test.onnx", "sha256": "0" * 64}


def test_identity_vectors_are_stored(tmp_path):
    uri = str(tmp_path / "bank.parquet")
    anna = face("anna", identity_vector=np.array([0.6, 0.8], np.float32))
    write_bank(uri, [anna, face("nobody", vector=None)], 3, ONNX)
    names, vectors = read_bank(uri).identity_vectors()
    assert names == ["anna"]
    assert np.array_equal(vectors, np.array([[0.6, 0.8]], np.float32))


def test_they_are_added_where_they_can_be_had():
    known = face("known", identity_vector=np.array([1, 0, 0], np.float32))
    faces = [face("anna", vector=np.array([3, 4, 0], np.float32)), known, face("nobody", vector=None)]
    anna, same, nobody = identified(faces, ONNX)
    assert anna.identity_vector == pytest.approx([0.6, 0.8, 0])
    assert same is known
    assert nobody.identity_vector is None


def test_they_are_added_by_the_weights_and_those_are_loaded_once(monkeypatch):
    loaded = []

    def load(embedder, weights):
        loaded.append((embedder["name"], weights))
        return lambda vectors: -vectors

    monkeypatch.setattr(bank, "identity_of", load)
    faces = [face("anna", 1), face("bert", 2)]
    assert [found.identity_vector[0] for found in identified(faces, {"name": "casia"}, "w.pt")] == [-1, -2]
    assert loaded == [("casia", "w.pt")]
    there = face("there", identity_vector=np.ones(3, np.float32))
    list(identified([there, face("nobody", vector=None)], {"name": "casia"}))
    assert len(loaded) == 1


def test_without_the_weights_there_are_none_and_whoever_needs_them_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    embedder = {"name": "vggface2", "sha256": "0" * 64}
    found = FaceBank(faces={"anna": face("anna")}, dim=3, embedder=embedder).identified()
    assert found.faces["anna"].identity_vector is None
    with pytest.raises(UsageError, match=r"the face 'anna' has no identity vector.*vggface2.*--weights"):
        found.identity_vectors()
