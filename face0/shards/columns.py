"""The columns of face shards of every version, as those of today: vectors beside the faces, as float32."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.vectors import vectors

FACE = "faces.list.element."  # prefix of the columns that are fields of the faces
EMBEDDINGS = "embeddings"
_WITHIN = f"{FACE}embedding"  # where the first version has them


def read_columns(parquet: pq.ParquetFile, group: int, columns: Sequence[str]) -> pa.Table:
    """Reads some columns of a row group.

    Args:
        parquet: a face shard of any version.
        group: number of the row group.
        columns: names of today's schema, ``faces.list.element.NAME`` for a field of the faces.
    """
    names = parquet.schema_arrow.names
    stored = [_WITHIN if name == EMBEDDINGS and EMBEDDINGS not in names else name for name in columns]
    return as_current(parquet.read_row_group(group, columns=stored, use_threads=False))


def as_current(rows: pa.Table) -> pa.Table:
    """Rows of a face shard of any version with the embeddings beside the faces: as a column ``embeddings``, at the end.

    Of the first version, rows without any field of the faces but the embedding come without ``faces``.
    """
    place = rows.schema.get_field_index("faces")
    if place < 0 or rows.schema.field(place).type.value_type.get_field_index("embedding") < 0:
        return rows
    faces = rows["faces"].combine_chunks()
    values = faces.values
    stored = values.field("embedding")
    flat = stored.flatten().cast(pa.float32())
    embeddings = pa.FixedSizeListArray.from_arrays(flat, type=vectors(stored.type.list_size))
    fields = [field for field in values.type if field.name != "embedding"]
    if fields:
        others = pa.StructArray.from_arrays([values.field(field.name) for field in fields], fields=fields)
        rows = rows.set_column(place, "faces", pa.ListArray.from_arrays(faces.offsets, others))
    else:
        rows = rows.remove_column(place)
    kind = pa.list_(pa.field("element", embeddings.type, nullable=False))
    return rows.append_column(EMBEDDINGS, pa.ListArray.from_arrays(faces.offsets, embeddings, type=kind))


def as_written(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """All columns of rows of a face shard of any version, under the schema of today."""
    rows = as_current(rows)
    if "embedding" not in rows.schema.names:
        first, _ = face_embeddings(rows, 1)
        kind = schema.field("embedding").type
        rows = rows.append_column(
            "embedding", pa.FixedSizeListArray.from_arrays(pa.array(first.reshape(-1)), type=kind)
        )
    return rows.select(schema.names).cast(schema)


def face_embeddings(rows: pa.Table, slots: int) -> tuple[np.ndarray, np.ndarray]:
    """The embeddings of the first faces of each row.

    Args:
        rows: of a shard, with the column ``embeddings``.
        slots: faces of a row, at most.

    Returns:
        The embeddings, float32 [rows, slots, dim], zeros where there is no face; and where there is one, bool
        [rows, slots].
    """
    lists = rows[EMBEDDINGS].combine_chunks()
    return _first(lists, lists.values, slots)


def face_field(rows: pa.Table, name: str, slots: int) -> tuple[np.ndarray, np.ndarray]:
    """A field of the first faces of each row.

    Args:
        rows: of a shard, with the column ``faces.list.element.NAME``.
        name: of the field.
        slots: faces of a row, at most.

    Returns:
        The values [rows, slots, width], zeros where there is no face; and where there is one, bool [rows, slots].
    """
    faces = rows["faces"].combine_chunks()
    return _first(faces, faces.values.field(name), slots)


def all_embeddings(rows: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """The embeddings of all faces, float32 [n, dim], and the row of each, int [n], ascending."""
    lists = rows[EMBEDDINGS].combine_chunks()
    flat = pc.list_flatten(lists)
    return _two_dimensional(flat), pc.list_parent_indices(lists).to_numpy()


def _first(lists: pa.ListArray, field: pa.Array, slots: int) -> tuple[np.ndarray, np.ndarray]:
    offsets = lists.offsets.to_numpy()
    index = offsets[:-1, None] + np.arange(slots)
    present = index < offsets[1:, None]
    values = _two_dimensional(field)
    padded = np.zeros((*present.shape, values.shape[1]), values.dtype)
    padded[present] = values[index[present]]
    return padded, present


def _two_dimensional(field: pa.Array) -> np.ndarray:
    """Numbers, or lists of a fixed size of them, as [n, width]."""
    if pa.types.is_fixed_size_list(field.type):
        return field.flatten().to_numpy().reshape(len(field), field.type.list_size)
    return field.to_numpy().reshape(len(field), 1)
