"""Places sorted by what they hold."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.errors import UsageError
from face0.privacy.locations import classify
from face0.tasks.output_folder import OutputFolder
from schemas.face_bank import Kind
from tests.fixtures.holdings import ANNA, BOB, bank, commit_shard, face
from tests.fixtures.renders import commit, row


def test_places_are_told_by_their_files_and_open_once_each(root):
    commit_shard(f"{root}/a", "t", {"a1": [ANNA]})
    people = bank(f"{root}/b", face("anna", ANNA, Kind.RANDOM, []), face("bob", BOB, Kind.RANDOM, []))
    renders = commit(f"{root}/c", [row(0)])
    places = classify([renders, people, f"{root}/a", people])
    assert [place.uri.rpartition("/")[2] for place in (*places.shards, *places.banks, *places.renders)] == list("abc")
    assert len(places.uris) == 3
    assert places.banks[0].size == 2
    assert list(places.shards[0].tasks) == ["t"]


def test_what_is_neither_is_refused_with_what_it_is(tmp_path):
    OutputFolder(str(tmp_path / "model")).prepare("train", {})
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "empty").mkdir()
    for name, said in {
        "model": "the output of face0 train",
        "a.parquet": "no bank",
        "a.txt": "no bank",
        "empty": "no folder with a job.json",
        "gone": "no folder with a job.json",
    }.items():
        with pytest.raises(UsageError, match=rf"{name} .*{said}.*: give the --output"):
            classify([str(tmp_path / name)])
