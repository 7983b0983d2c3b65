"""Faces taken out of banks, and rows out of outputs."""

import numpy as np
import pyarrow.parquet as pq

from face0.faces.bank import FACES_PER_ROW_GROUP, read_bank
from face0.io.cards import CARD
from face0.privacy.locations import OutputLocation
from face0.privacy.removal import SHARDS, remove_faces, remove_rows, tidy
from face0.reports.data_card import write_data_card
from face0.tasks.output_folder import OutputFolder
from schemas.face_bank import Kind
from schemas.job import JobRecord
from tests.fixtures.holdings import DIM, bank, face
from tests.fixtures.shards import numbered, write


def test_faces_go_and_the_others_stay_as_they_were(root):
    names = [f"f{i:03d}" for i in range(2 * FACES_PER_ROW_GROUP + 3)]
    vectors = np.random.default_rng(0).normal(size=(len(names), DIM)).astype(np.float32)
    uri = bank(f"{root}/bank.parquet", *(face(n, v, Kind.RANDOM, []) for n, v in zip(names, vectors, strict=True)))
    gone = {names[0], names[-1], names[FACES_PER_ROW_GROUP], "of another bank"}
    remove_faces(uri, gone)
    left = read_bank(uri)
    assert list(left.faces) == [name for name in names if name not in gone]
    for name, vector in zip(names, vectors, strict=True):
        assert name in gone or np.array_equal(left.faces[name].vector, vector)


def test_columns_that_others_have_added_stay(tmp_path):
    uri = bank(str(tmp_path / "bank.parquet"), *(face(name, np.ones(DIM), Kind.RANDOM, []) for name in "abc"))
    table = pq.read_table(uri)
    pq.write_table(table.append_column("mine", [[1, 2, 3]]), uri)
    remove_faces(uri, {"b"})
    assert pq.read_table(uri)["mine"].to_pylist() == [1, 3]
    assert pq.read_schema(uri).metadata == table.schema.metadata
    assert [path.name for path in tmp_path.iterdir()] == ["bank.parquet"]


def test_the_data_card_of_an_output_counts_what_is_left(tmp_path):
    folder = OutputFolder(write(tmp_path / "out", numbered([[3]])))
    folder.write_text("job.json", JobRecord(job="augment", config={}, versions={}).to_json())
    write_data_card(folder)
    assert "and 3 written" in folder.read(CARD).decode()
    place = OutputLocation(folder=folder, job=folder.job)
    (task,) = place.tasks
    remove_rows(place, task, SHARDS, {"k00001"})
    tidy(place)
    assert "and 2 written" in folder.read(CARD).decode()
    assert "1 forgotten" in folder.read(CARD).decode()
