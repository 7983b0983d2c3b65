"""Names in tables that an earlier version of Face0 has written, which may hold content or secrets."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import pyarrow as pa

from face0.io.names import kept_key, kept_message, kept_source

T = TypeVar("T", pa.RecordBatch, pa.Table)

_KEPT: Mapping[str, Callable[[str], str]] = {"key": kept_key, "source": kept_source, "message": kept_message}


def without_content(rows: T) -> T:
    """Rows of shards or failures with their names as they are kept now; the same rows if they are."""
    # Shards may have a column of the user's own that is called "message".
    is_failures = (rows.schema.metadata or {}).get(b"face0.schema") == b"failures"
    names = _KEPT.keys() if is_failures else _KEPT.keys() - {"message"}
    for index, field in enumerate(rows.schema):
        if field.name in names:
            values = rows.column(index).to_pylist()
            kept = [_KEPT[field.name](value) for value in values]
            if kept != values:
                rows = rows.set_column(index, field, pa.array(kept, field.type))
    return rows
