"""The face shard: the rows that augment writes and train reads."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

VERSION = "1"


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
            pa.field("box", pa.list_(pa.float32(), 4)),
            pa.field("score", pa.float32()),  # the detector's, 0..1
            # x, y of left eye, right eye, nose, left and right mouth corner, as seen, in pixels of the stored image
            pa.field("landmarks", pa.list_(pa.float32(), 10)),
            pa.field("embedding", pa.list_(pa.float16(), dim)),  # the conditioning vector
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
            pa.field("faces", pa.list_(face), nullable=False),  # largest first; empty only with --keep-faceless
            *(pa.field(name, kind) for name, kind in (kept or {}).items()),
        ],
        metadata={
            "face0.schema": "face_shard",
            "face0.version": VERSION,
            "face0.embedding_dim": str(dim),
            **{f"face0.embedder.{name}": str(value) for name, value in (embedder or {}).items()},
        },
    )
