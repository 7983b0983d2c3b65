"""Shards of the first version, whose embeddings are fields of the faces, are read as those of today."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.shards.columns import (
    EMBEDDINGS,
    FACE,
    all_embeddings,
    as_current,
    as_written,
    face_embeddings,
    face_field,
    read_columns,
)
from face0.shards.rows import to_batch
from schemas.face_shard import face_shard
from tests.fixtures.shards import first_version
from tests.unit.shards.test_rows import face_row

COUNTS = (0, 3, 0, 1, 0)
SCHEMA = face_shard(6)
TODAY = pa.Table.from_batches([to_batch([face_row(f"k{i}", count) for i, count in enumerate(COUNTS)], SCHEMA)])


OLD = first_version(TODAY)


def opened(rows: pa.Table) -> pq.ParquetFile:
    file = io.BytesIO()
    pq.write_table(rows, file)
    return pq.ParquetFile(file)


@pytest.mark.parametrize("rows", [TODAY, OLD, OLD.slice(1, 3), TODAY.slice(1, 3)], ids=["3", "1", "part 1", "part 3"])
@pytest.mark.parametrize("slots", [1, 2, 4])
def test_the_first_faces_of_each_row(rows, slots):
    rows = as_current(rows, 6)
    vectors, present = face_embeddings(rows, slots)
    scores, _ = face_field(rows, "score", slots)
    assert vectors.dtype == np.float32
    for i, row in enumerate(rows.to_pylist()):
        wanted = row[EMBEDDINGS][:slots]
        assert present[i].sum() == len(wanted)
        assert vectors[i, : len(wanted)].tolist() == wanted
        assert not vectors[i, len(wanted) :].any()
        assert scores[i, : len(wanted), 0].tolist() == [face["score"] for face in row["faces"][:slots]]


def test_rows_of_the_first_version_become_those_of_today():
    assert as_written(OLD, SCHEMA).equals(TODAY)
    assert as_written(TODAY, SCHEMA).equals(TODAY)


@pytest.mark.parametrize("columns", [[EMBEDDINGS], ["key", EMBEDDINGS], ["key", f"{FACE}box", EMBEDDINGS], ["key"]])
def test_both_versions_give_the_same_columns(columns):
    old, today = (read_columns(opened(rows), 0, columns, 6) for rows in (OLD, TODAY))
    assert old.to_pylist() == today.to_pylist()


def test_all_faces_with_their_rows():
    for rows in (as_current(OLD, 6), TODAY):
        vectors, places = all_embeddings(rows)
        assert places.tolist() == [1, 1, 1, 3]
        assert vectors.tolist() == [vector for row in rows.to_pylist() for vector in row[EMBEDDINGS]]
