"""Folders of shards: joined, unfinished, or refused."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from face0.errors import UsageError
from face0.shards.loader import FaceShards
from face0.tasks.output_folder import OutputFolder
from tests.fixtures.shards import NONE, keys, numbered, refused, restate, row, take, write


def test_folders_are_joined(tmp_path):
    one = write(tmp_path / "one", numbered([[3], [4]]))
    two = write(tmp_path / "two", [[[row(i) for i in range(100, 105)]]])
    loader = FaceShards([one, two], holdout=NONE)
    assert keys(loader) == [f"k{i:05d}" for i in [*range(7), *range(100, 105)]]


def test_an_unfinished_folder_is_used_with_a_warning(tmp_path, caplog):
    folder = write(tmp_path, numbered([[3], [4]]), finish=False)
    (tmp_path / "shards" / "part-009.parquet").write_bytes(b"not committed")
    assert FaceShards([folder], holdout=NONE).samples == 7
    (record,) = caplog.records
    assert (record.levelname, record.name) == ("WARNING", "face0.shards.files")
    assert f"{folder} is not finished" in record.message
    caplog.clear()
    OutputFolder(folder).succeed(["part-000", "part-001"])
    FaceShards([folder], holdout=NONE)
    assert not caplog.records


def test_a_folder_without_a_committed_task_is_refused(root):
    message = refused(root)
    assert root in message
    assert "no committed task" in message
    assert "give one or more" in refused()


def test_a_file_that_is_not_as_its_stats_say_is_refused(tmp_path):
    folder = write(tmp_path / "a", numbered([[3], [4]]))
    path = tmp_path / "a" / "shards" / "part-001.parquet"
    data = path.read_bytes()
    path.unlink()
    assert f"{path} is missing" in refused(folder)
    path.write_bytes(data[:-10])
    assert f"{path} has {len(data) - 10:,} bytes, but its stats say {len(data):,}" in refused(folder)
    path.write_bytes(bytes(len(data)))
    assert f"{path} does not open as Parquet" in refused(folder)
    path.write_bytes((tmp_path / "a" / "shards" / "part-000.parquet").read_bytes())
    restate(tmp_path / "a", path)
    message = refused(folder)
    assert f"{path} has 3 rows, but its stats say 4" in message
    assert f"the augment command of {folder}, run once more" in message


def test_a_folder_that_lacks_stats_is_refused(tmp_path):
    folder = write(tmp_path / "a", numbered([[3], [4]]))
    stats = OutputFolder(folder)
    assert stats.succeed(stats.stats_names()) is not None
    min((tmp_path / "a" / "stats").iterdir()).unlink()
    assert "has the stats of 1 tasks, but its _SUCCESS says 2" in refused(folder)


def test_rows_of_another_schema_are_refused(tmp_path):
    folder = write(tmp_path / "a", numbered([[3]]))
    path = tmp_path / "a" / "shards" / "part-000.parquet"
    pq.write_table(
        pq.read_table(path).replace_schema_metadata({"face0.schema": "face_shard", "face0.version": "9"}), path
    )
    restate(tmp_path / "a", path)
    assert "('face_shard', '9')" in refused(folder)


def test_folders_of_several_embedders_are_refused(tmp_path):
    one = write(tmp_path / "one", numbered([[3]]))
    two = write(tmp_path / "two", numbered([[3]]), embedder="f")
    message = refused(one, two)
    assert one in message
    assert two in message
    assert "name: e, f" in message
    three = write(tmp_path / "three", [[[replace(row(1), embeddings=np.ones((1, 8)))]]], dim=8)
    assert "dim: 4, 8" in refused(one, three)


def test_a_row_group_that_turns_corrupt_is_named(tmp_path):
    folder = write(tmp_path, numbered([[30, 30, 30]]))
    loader = FaceShards([folder], holdout=NONE)
    path = tmp_path / "shards" / "part-000.parquet"
    column = pq.read_metadata(path).row_group(1).column(2)
    data = bytearray(path.read_bytes())
    data[column.data_page_offset : column.data_page_offset + column.total_compressed_size] = bytes(
        column.total_compressed_size
    )
    path.write_bytes(data)
    with pytest.raises(UsageError, match="row group 1 does not read") as error:
        take(loader, 30)
    assert str(path) in str(error.value)


def test_a_file_that_goes_while_training_is_named(tmp_path):
    folder = write(tmp_path, numbered([[30]]))
    loader = FaceShards([folder], holdout=NONE)
    (path,) = (tmp_path / "shards").iterdir()
    path.unlink()
    with pytest.raises(UsageError, match=r"part-000\.parquet: row group 0 does not read"):
        take(loader, 1)
