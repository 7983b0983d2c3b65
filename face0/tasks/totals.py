"""What rows add to the totals of their task: counted as they are written, and taken off as they are removed."""

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

IMAGE_BYTES = "bytes of images"


def shard_totals(rows: pa.RecordBatch | pa.Table) -> Counter[str]:
    """Counts the faces of rows of a face shard."""
    return Counter(faces=pc.sum(pc.list_value_length(rows.column("faces"))).as_py() or 0)


def result_totals(rows: pa.RecordBatch | pa.Table) -> Counter[str]:
    """Counts rows of results: those with an image file, those without a face, those whose prompt was cut."""
    return Counter(
        {
            IMAGE_BYTES: _sum(rows, "image_bytes"),
            "images": rows.num_rows - rows.column("image").null_count,
            "without a face": pc.sum(pc.equal(rows.column("faces_found"), 0)).as_py() or 0,
            "prompts cut": pc.sum(pc.greater(rows.column("tokens_lost"), 0)).as_py() or 0,
        }
    )


def _sum(rows: pa.RecordBatch | pa.Table, name: str) -> int:
    """The sum of a column; 0 where rows of an earlier version lack it."""
    return pc.sum(rows.column(name)).as_py() or 0 if name in rows.schema.names else 0
