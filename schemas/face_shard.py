"""The face shard: the rows that augment writes and train reads."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from schemas.vectors import vectors

VERSION = "3"
READABLE = ("1", "3")  # the first has the embeddings within ``faces``, as float16


def face_shard(
    dim: int, embedder: dict[str, Any] | None = None, kept: Mapping[str, pa.DataType] | None = None
) -> pa.Schema:
    """The Arrow schema of a face shard.

    Args:
        dim: length of the stored embedding.
        embedder: what made the embeddings, as strings for the file's metadata (name, weights' sha256, crop margins).
        kept: columns of the input that came along, by name; they follow the others, and are null where a row had none.
    """
    face = pa.struct(
        [
            # x0, y0, x1, y1 in pixels of the stored image; may reach a little beyond its edges
            pa.field("box", vectors(4), nullable=False),
            pa.field("score", pa.float32(), nullable=False),  # the detector's, 0..1
            # x, y of left eye, right eye, nose, left and right mouth corner, as seen, in pixels of the stored image
            pa.field("landmarks", vectors(10), nullable=False),
        ]
    )
    return pa.schema(
        [
            pa.field("key", pa.string(), nullable=False),  # names the row within its task
            pa.field("caption", pa.string(), nullable=False),  # never blank
            pa.field("image", pa.binary(), nullable=False),  # the training image, encoded
            pa.field("width", pa.int32(), nullable=False),  # of the training image, pixels
            pa.field("height", pa.int32(), nullable=False),  # the same
            pa.field("source", pa.string(), nullable=False),  # URI, "#member" appended for a part of a container
            pa.field("sha256", pa.string(), nullable=False),  # of the source's image bytes, before crop and encoding
            # Largest first; empty only with --keep-faceless
            pa.field("faces", pa.list_(pa.field("element", face, nullable=False)), nullable=False),
            # The conditioning vector of each face, in their order; the values are those of float16. Beside the faces,
            # so that who asks for boxes does not read them
            pa.field("embeddings", pa.list_(pa.field("element", vectors(dim), nullable=False)), nullable=False),
            # Of the largest face, once more, for searches in one line; without a face zeros
            pa.field("embedding", vectors(dim), nullable=False),
            *(pa.field(name, kind) for name, kind in (kept or {}).items()),
        ],
        metadata={
            "face0.schema": "face_shard",
            "face0.version": VERSION,
            "face0.embedding_dim": str(dim),
            **{f"face0.embedder.{name}": str(value) for name, value in (embedder or {}).items()},
        },
    )
