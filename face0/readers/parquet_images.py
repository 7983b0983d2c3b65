"""Parquet with the bytes of images in it: a binary column, or the struct of bytes and path of Hugging Face datasets.

A split is a run of row groups: ``start`` and ``stop`` are their indices.
"""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from face0.io.storage import STORAGE_ERRORS
from face0.readers.access import NOTHING_MORE, Access
from face0.readers.columns import find_also, find_caption, find_image, find_key, is_text
from face0.readers.failures import failed_row, unreadable_rest
from face0.readers.parquet_rows import (
    UNREADABLE,
    ParquetInput,
    also_values,
    open_parquet,
    out_of_memory,
    read_footer,
    row_batches,
    texts,
)
from face0.readers.samples import Columns, Sample, Split
from face0.readers.uris import folder_of, resolve, row_key
from schemas.failures import Failure, Reason

# Rows that are in memory at a time: images, of megabytes each at worst.
_BATCH_ROWS = 64


def plan(
    uri: str,
    size: int,
    columns: Columns,
    rows_per_task: int,
    access: Access = NOTHING_MORE,
) -> Iterator[Split]:
    """Splits of whole row groups, of at most ``rows_per_task`` rows unless a single row group has more.

    A file without a readable footer is one split, for ``read`` to report.

    Raises:
        UsageError: a column is missing.
    """
    footer = read_footer(uri)
    if footer is None:
        yield Split(reader="parquet_images", uri=uri, size=size)
        return
    schema, group_rows = footer
    _find_columns(schema, columns, uri)
    find_also(schema, columns.also, uri)
    start = first_row = rows = 0
    for group, count in enumerate([*group_rows, None]):
        if rows and (count is None or rows + count > rows_per_task):
            yield Split(
                reader="parquet_images", uri=uri, size=size, start=start, stop=group, first_row=first_row, rows=rows
            )
            start, first_row, rows = group, first_row + rows, 0
        rows += count or 0


def read(split: Split, columns: Columns, access: Access = NOTHING_MORE) -> Iterator[Sample | Failure]:
    """Streams the rows of some row groups, a few at a time.

    A row group that is corrupt is one Failure for the rows of it that are lost; a file that is, one Failure.
    """
    try:
        with open_parquet(split.uri) as file:
            yield from _rows(file, split, columns)
    except STORAGE_ERRORS:
        raise
    except (*UNREADABLE, MemoryError) as error:
        yield unreadable_rest(split.uri, error)


def _rows(file: ParquetInput, split: Split, columns: Columns) -> Iterator[Sample | Failure]:
    image, caption, key = _find_columns(file.schema, columns, split.uri)
    also = find_also(file.schema, columns.also, split.uri)
    leaves = list(dict.fromkeys([*_leaves(file.schema.field(image)), caption, *([] if key is None else [key]), *also]))
    rows = range(split.first_row, split.first_row + sum(file.group_rows[split.start : split.stop]))
    for first, batch in row_batches(file, split.uri, rows, leaves, _BATCH_ROWS):
        if isinstance(batch, Failure):
            yield batch
            continue
        try:
            contents, paths = _images(batch.column(image))
            captions = texts(batch.column(caption))
            keys = texts(batch.column(key)) if key is not None else [None] * len(batch)
            values = also_values(batch, also)
        except MemoryError:
            yield from (failure for _, failure in out_of_memory(split.uri, range(first, first + len(batch))))
            continue
        for offset, (content, path) in enumerate(zip(contents, paths, strict=True)):
            row_name = keys[offset] or row_key(split.uri, first + offset)
            row = _row(split.uri, first + offset, row_name, captions[offset], content, path)
            yield replace(row, values=values[offset]) if also and isinstance(row, Sample) else row


def _row(
    uri: str, row: int, key: str, caption: str | None, content: bytes | None, path: str | None
) -> Sample | Failure:
    if content is not None:
        return Sample(key=key, source=f"{uri}#{row}", caption=caption, data=content)
    if path:
        image_uri = resolve(path, folder_of(uri))
        return Sample(key=key, source=image_uri, caption=caption, uri=image_uri, within=folder_of(uri))
    return failed_row(key, f"{uri}#{row}", Reason.NO_IMAGE, f"row {row} has no image")


def _leaves(image: pa.Field) -> list[str]:
    """What is read of an image's column: of a struct no more than bytes and path, for a list beside them has no end."""
    if not pa.types.is_struct(image.type):
        return [image.name]
    has_path = image.type.get_field_index("path") >= 0 and is_text(image.type.field("path").type)
    return [f"{image.name}.bytes", *([f"{image.name}.path"] if has_path else [])]


def _images(column: pa.Array) -> tuple[list[bytes | None], list[str | None]]:
    """The bytes and the paths of the images of a column; None for what a row does not have."""
    if not pa.types.is_struct(column.type):
        return column.to_pylist(), [None] * len(column)
    has_path = column.type.get_field_index("path") >= 0
    paths: list[str | None] = texts(pc.struct_field(column, "path")) if has_path else [None] * len(column)
    return pc.struct_field(column, "bytes").to_pylist(), paths


def _find_columns(schema: pa.Schema, columns: Columns, uri: str) -> tuple[str, str, str | None]:
    """The names of the image's, the caption's and the key's column."""
    return (
        find_image(schema, columns.image, uri),
        find_caption(schema, columns.caption, uri),
        find_key(schema, columns.key, uri),
    )
