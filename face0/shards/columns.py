"""The columns of face shards of every version and of every writer, as those of today.

Other tools have lists of other types (large ones, of no fixed size, of float64), text and bytes likewise, and names of
their own for what is in a list.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.vectors import vectors

FACE = "faces.list.element."  # prefix of the columns that are fields of the faces
EMBEDDINGS = "embeddings"
_FIRST = "embedding"  # that of the largest face; in the first version a field of the faces
_TEXTS = ("key", "caption", "source", "sha256")
_SIDES = ("width", "height")
_NEVER_NULL = ("key", "caption", "image", *_SIDES)
_LENGTHS = {"box": 4, "landmarks": 10}
_LIKE_BYTES = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
)


def available(schema: pa.Schema) -> set[str]:
    """The columns that ``read_columns`` finds in a file of this schema, ``faces.list.element.NAME`` for fields."""
    fields = _face_fields(schema)
    names = {*schema.names, *(FACE + name for name in fields)}
    return {*names, EMBEDDINGS} if _FIRST in {*names, *fields} else names


def read_columns(parquet: pq.ParquetFile, group: int, columns: Sequence[str], dim: int) -> pa.Table:
    """Reads some columns of a row group.

    Args:
        parquet: a face shard of any version, or what another tool has made of one.
        group: number of the row group.
        columns: names of today's schema, ``faces.list.element.NAME`` for a field of the faces.
        dim: length of an embedding.

    Raises:
        ValueError: a vector is null, of another length, or holds what is null or no finite number; key, caption, image,
            width or height is null, or of a type that it cannot be; or a row has embeddings in another number than
            faces.
    """
    leaves = [parquet.schema.column(i).path for i in range(len(parquet.schema))]
    chosen = list(_leaves(leaves, parquet.schema_arrow, columns))
    return as_current(parquet.read_row_group(group, columns=chosen, use_threads=False), dim)


def as_current(rows: pa.Table, dim: int) -> pa.Table:
    """Rows of a face shard of any version and writer, with embeddings as a column ``embeddings`` beside the faces.

    Rows without any field of the faces but the embedding come without ``faces``. Where there is the embedding of one
    face alone, that is the row's one face; zeros and null are none. Raises ValueError as ``read_columns``.
    """
    columns: dict[str, pa.Array | pa.ChunkedArray] = {}
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        if name == "faces":
            columns |= _faces(column.combine_chunks(), dim)
        elif name == EMBEDDINGS:
            columns[name] = _vector_lists(*_offsets_and_values(column.combine_chunks()), dim)
        elif name == _FIRST and EMBEDDINGS not in rows.schema.names:
            columns[EMBEDDINGS] = _single(column.combine_chunks(), dim)
        elif name in _TEXTS:
            columns[name] = column.cast(pa.string())
        elif name in _SIDES:
            columns[name] = column.cast(pa.int32())
        elif name == "image":
            columns[name] = _bytes(column)
        else:
            columns[name] = column
    for name in _NEVER_NULL:
        if name in columns and (nulls := columns[name].null_count):
            raise ValueError(f"{name} is null in {nulls:,} rows")
    _refuse_other_numbers(columns)
    return pa.table(columns)


def as_written(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """All columns of rows of a face shard of any version, under the schema of today."""
    kind = schema.field(_FIRST).type
    rows = as_current(rows, kind.list_size)
    first, _ = face_embeddings(rows, 1)
    columns = {name: rows[name] for name in rows.schema.names}
    columns[_FIRST] = pa.FixedSizeListArray.from_arrays(pa.array(first.reshape(-1)), type=kind)
    return pa.table({name: columns[name] for name in schema.names}).cast(schema)


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
    return _two_dimensional(pc.list_flatten(lists)), pc.list_parent_indices(lists).to_numpy()


def _leaves(leaves: Sequence[str], schema: pa.Schema, columns: Sequence[str]) -> Iterator[str]:
    """The paths in the file of what is to be read, whatever their writer calls the elements of a list."""
    for name in columns:
        top, inner = ("faces", name.removeprefix(FACE)) if name.startswith(FACE) else (name, None)
        if name == EMBEDDINGS and name not in schema.names:
            top, inner = ("faces", _FIRST) if _FIRST in _face_fields(schema) else (_FIRST, None)
        for path in leaves:
            first, *rest = path.split(".")
            if first == top and (inner is None or inner in rest):
                yield path


def _bytes(images: pa.ChunkedArray) -> pa.ChunkedArray:
    """Files of images: bytes, bytes in a struct (``datasets``), or bytes that are said to be text (ClickHouse)."""
    if pa.types.is_struct(images.type) and "bytes" in images.type.names:
        images = pc.struct_field(images, "bytes")
    kind = images.type.value_type if pa.types.is_dictionary(images.type) else images.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return images
    if not any(is_kind(kind) for is_kind in _LIKE_BYTES):
        raise ValueError(f"image is of the type {images.type}, and not bytes")
    return images.cast(pa.large_binary())


def _face_fields(schema: pa.Schema) -> list[str]:
    """Names of the fields of the faces."""
    place = schema.get_field_index("faces")
    face = getattr(schema.field(place).type, "value_type", None) if place >= 0 else None
    return [field.name for field in face] if face is not None and pa.types.is_struct(face) else []


def _faces(faces: pa.Array, dim: int) -> Mapping[str, pa.Array]:
    """The columns ``faces`` and ``embeddings`` of faces, as far as they have these fields."""
    offsets, face = _offsets_and_values(faces)
    if face.null_count:
        raise ValueError("a face is null")
    values = {name: _face_field(face.field(name), name) for name in face.type.names if name != _FIRST}
    columns = {}
    if values:
        fields = [pa.field(name, array.type, nullable=False) for name, array in values.items()]
        columns["faces"] = _lists(offsets, pa.StructArray.from_arrays([*values.values()], fields=fields))
    if face.type.get_field_index(_FIRST) >= 0:
        columns[EMBEDDINGS] = _vector_lists(offsets, face.field(_FIRST), dim)
    return columns


def _face_field(values: pa.Array, name: str) -> pa.Array:
    if name in _LENGTHS:
        return _vectors(values, _LENGTHS[name])
    if name != "score":
        return values
    if values.null_count:
        raise ValueError("a score is null")
    return values.cast(pa.float32())


def _refuse_other_numbers(columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> None:
    """Raises ValueError unless each row has as many embeddings as faces, where both are read."""
    if "faces" in columns and EMBEDDINGS in columns:
        faces, vectors_of = (columns[name].value_lengths().to_numpy() for name in ("faces", EMBEDDINGS))
        if (differing := np.flatnonzero(faces != vectors_of)).size:
            numbers = f"{faces[differing[0]]:,} and {vectors_of[differing[0]]:,}"
            raise ValueError(f"a row has faces and embeddings in different numbers, {numbers}")


def _vector_lists(offsets: np.ndarray, values: pa.Array, dim: int) -> pa.ListArray:
    return _lists(offsets, _embeddings(values, dim))


def _embeddings(lists: pa.Array, dim: int) -> pa.FixedSizeListArray:
    found = _vectors(lists, dim)
    if not np.isfinite(_two_dimensional(found)).all():
        raise ValueError("a vector holds what is no finite number")
    return found


def _single(column: pa.Array, dim: int) -> pa.ListArray:
    """Lists of no or one vector."""
    present = _embeddings(column.drop_null(), dim)
    with_face = column.is_valid().to_numpy(zero_copy_only=False).copy()
    is_face = _two_dimensional(present).any(axis=1)
    with_face[with_face] = is_face
    return _lists(np.concatenate([[0], np.cumsum(with_face)]), present.filter(pa.array(is_face)))


def _lists(offsets: np.ndarray, values: pa.Array) -> pa.ListArray:
    kind = pa.list_(pa.field("element", values.type, nullable=False))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, type=kind)


def _vectors(lists: pa.Array, length: int) -> pa.FixedSizeListArray:
    """Lists of numbers as vectors of one length."""
    if lists.null_count:
        raise ValueError("a vector is null")
    offsets, values = _offsets_and_values(lists)
    lengths = np.unique(np.diff(offsets))
    if wrong := [size for size in lengths.tolist() if size != length]:
        raise ValueError(f"a vector has {wrong[0]:,} values, and not {length:,}")
    if values.null_count:
        raise ValueError("a value of a vector is null")
    return pa.FixedSizeListArray.from_arrays(values.cast(pa.float32()), type=vectors(length))


def _offsets_and_values(lists: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """Of lists of any type: where each begins and ends in the values, int [n + 1], from 0 on; null is an empty one."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    return np.concatenate([[0], np.cumsum(lengths)]), pc.list_flatten(lists)


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
