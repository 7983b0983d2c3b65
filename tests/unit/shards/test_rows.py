"""Rows of face shards come back from Parquet as they were."""

import io

import numpy as np
import pyarrow.parquet as pq
import pytest

from face0.detection.detections import Detections
from face0.shards.rows import FaceRow, to_batch
from face0.statistics.vectors import as_stored
from schemas.face_shard import face_shard


def face_row(key: str, count: int, dim: int = 6) -> FaceRow:
    chance = np.random.default_rng(count)
    return FaceRow(
        key=key,
        caption=f"caption of {key} ü",
        image=b"image " + key.encode(),
        width=10 + count,
        height=20,
        source=f"a.tar#{key}",
        sha256="00" * 32,
        faces=Detections(
            boxes=chance.uniform(-5, 500, (count, 4)).astype(np.float32),
            scores=chance.uniform(0, 1, count).astype(np.float32),
            landmarks=chance.uniform(0, 500, (count, 5, 2)).astype(np.float32),
        ),
        embeddings=chance.normal(0, 3, (count, dim)).astype(np.float32),
    )


@pytest.mark.parametrize("counts", [[0], [1], [0, 3, 0, 1, 0], [2, 2], [0, 0]])
def test_rows_come_back_as_they_were(counts):
    given_rows = [face_row(f"k{i}", count) for i, count in enumerate(counts)]
    schema = face_shard(6, {"name": "random:0"})
    batch = to_batch(given_rows, schema)
    batch.validate(full=True)
    assert batch.schema.equals(schema, check_metadata=True)
    file = io.BytesIO()
    with pq.ParquetWriter(file, schema) as writer:
        writer.write_batch(batch)
    table = pq.read_table(io.BytesIO(file.getvalue()))
    assert table.schema.metadata[b"face0.embedder.name"] == b"random:0"
    for row, found in zip(given_rows, table.to_pylist(), strict=True):
        for name in ("key", "caption", "image", "width", "height", "source", "sha256"):
            assert found[name] == getattr(row, name)
        assert len(found["faces"]) == len(row.faces)
        for i, face in enumerate(found["faces"]):
            assert np.array_equal(np.float32(face["box"]), row.faces.boxes[i])
            assert np.float32(face["score"]) == row.faces.scores[i]
            assert np.array_equal(np.float32(face["landmarks"]).reshape(5, 2), row.faces.landmarks[i])
        assert np.array_equal(np.float32(found["embeddings"]).reshape(-1, 6), as_stored(row.embeddings))
        assert found["embedding"] == (found["embeddings"][0] if len(row.faces) else [0] * 6)


def test_rows_of_a_batch_are_cut_apart_right():
    """As ``settle`` does with rows that it keeps."""
    batch = to_batch([face_row("a", 2), face_row("b", 0), face_row("c", 3)], face_shard(6))
    for i, (key, count) in enumerate([("a", 2), ("b", 0), ("c", 3)]):
        alone = to_batch([face_row(key, count)], face_shard(6))
        assert batch.slice(i, 1).to_pylist() == alone.to_pylist()
