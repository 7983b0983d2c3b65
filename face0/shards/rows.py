"""Rows of a face shard as Arrow batches, built from arrays without a Python object per number."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from face0.detection.detections import Detections
from face0.readers.further_columns import Value, to_array
from face0.statistics.vectors import as_stored


@dataclass(frozen=True, kw_only=True)
class FaceRow:
    """One row: a training image and its faces.

    Attributes:
        key: of the row.
        caption: of the image.
        image: bytes of the image file.
        width: of the image, in pixels.
        height: of the image, in pixels.
        source: URI of the image it was made from, "#member" appended for a part of a container.
        sha256: of the source's image bytes.
        faces: in pixels of the image, largest first.
        embeddings: float [len(faces), dim].
        kept: values of the columns that came along from the input, by name.
    """

    key: str
    caption: str
    image: bytes
    width: int
    height: int
    source: str
    sha256: str
    faces: Detections
    embeddings: np.ndarray
    kept: Mapping[str, Value] = field(default_factory=dict)


def to_batch(rows: Sequence[FaceRow], schema: pa.Schema) -> pa.RecordBatch:
    """Makes a batch of rows, in the order given, by a schema of ``schemas.face_shard.face_shard``."""
    offsets = np.cumsum([0, *(len(row.faces) for row in rows)])
    face = schema.field("faces").type.value_type
    columns = {
        "box": np.concatenate([row.faces.boxes for row in rows]),
        "score": np.concatenate([row.faces.scores for row in rows]),
        "landmarks": np.concatenate([row.faces.landmarks.reshape(-1, 10) for row in rows]),
    }
    fields = [face.field(index) for index in range(face.num_fields)]
    faces = pa.StructArray.from_arrays([_array(columns[field.name], field.type) for field in fields], fields=fields)
    embeddings = as_stored(np.concatenate([row.embeddings for row in rows]))
    first = np.zeros((len(rows), schema.field("embedding").type.list_size), np.float32)
    with_face = offsets[:-1] < offsets[1:]
    first[with_face] = embeddings[offsets[:-1][with_face]]
    vectors = schema.field("embeddings").type.value_type
    made = {
        "faces": _lists(offsets, faces, schema.field("faces").type),
        "embeddings": _lists(offsets, _array(embeddings, vectors), schema.field("embeddings").type),
        "embedding": _array(first, vectors),
    }
    own = {name.name for name in dataclasses.fields(FaceRow)}
    arrays = []
    for column in schema:
        if column.name in made:
            arrays.append(made[column.name])
        elif column.name in own:
            arrays.append(pa.array([getattr(row, column.name) for row in rows], column.type))
        else:
            arrays.append(to_array([row.kept.get(column.name) for row in rows], column.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _lists(offsets: np.ndarray, values: pa.Array, kind: pa.DataType) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, type=kind)


def _array(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    if pa.types.is_fixed_size_list(kind):
        flat = values.astype(np.float32, copy=False).reshape(-1)
        return pa.FixedSizeListArray.from_arrays(pa.array(flat), type=kind)
    return pa.array(values, kind)
