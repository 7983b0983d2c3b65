"""Parquet with the bytes of images in it: a binary column, or the struct of bytes and path of Hugging Face datasets.

A split is a run of row groups: ``start`` and ``stop`` are their indices.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from face0.io.storage import STORAGE_ERRORS
from face0.readers.access import NOTHING_MORE, Access
from face0.readers.columns import find_also, find_caption, find_image, find_key, is_image, is_text, note_lists
from face0.readers.failures import failed_row, unreadable_rest
from face0.readers.parquet_rows import (
    UNREADABLE,
    ParquetInput,
    also_values,
    open_parquet,
    out_of_memory,
    read_footer,
    row_batches,
)
from face0.readers.samples import Columns, Sample, Split
from face0.readers.uris import folder_of, name_of, resolve, row_key
from face0.readers.values import NoText, caption_text, python_values, text_of
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
    note_lists(schema, find_columns(schema, columns, uri)[1], uri)
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
    image, caption, key = find_columns(file.schema, columns, split.uri)
    also = find_also(file.schema, columns.also, split.uri)
    status = _status(file.schema)
    others = [name for name in (caption, key, status, *also) if name is not None]
    leaves = list(dict.fromkeys([*_leaves(file.schema.field(image)), *others]))
    rows = range(split.first_row, split.first_row + sum(file.group_rows[split.start : split.stop]))
    for first, batch in row_batches(file, split.uri, rows, leaves, _BATCH_ROWS):
        if isinstance(batch, Failure):
            yield batch
        else:
            yield from batch_rows(batch, first, split.uri, columns)


# Of img2dataset, which writes a row without an image where a download failed
_STATUS = "status"


def batch_rows(batch: pa.RecordBatch, first: int, uri: str, columns: Columns) -> Iterator[Sample | Failure]:
    """The rows of a batch, the number of whose first row in the file is ``first``."""
    image, caption, key = find_columns(batch.schema, columns, uri)
    also, status = find_also(batch.schema, columns.also, uri), _status(batch.schema)
    try:
        contents, paths = _images(batch.column(image))
        captions = python_values(batch.column(caption))
        keys, statuses = (
            python_values(batch.column(name)) if name is not None else [None] * len(batch) for name in (key, status)
        )
        further = also_values(batch, also)
    except MemoryError:
        yield from (failure for _, failure in out_of_memory(uri, range(first, first + len(batch))))
        return
    columns_of_row = zip(keys, captions, contents, paths, statuses, strict=True)
    for number, parts in enumerate(columns_of_row, start=first):
        row = _row(uri, number, *parts, columns.encoding)
        yield replace(row, values=further[number - first]) if also and isinstance(row, Sample) else row


def _status(schema: pa.Schema) -> str | None:
    """The column that says whether an image could be downloaded; None: there is none."""
    return _STATUS if _STATUS in schema.names and is_text(schema.field(_STATUS).type) else None


def _row(
    uri: str,
    row: int,
    key_value: Any,
    caption_value: Any,
    content: bytes | None,
    path: str | bytes | None,
    status: str | bytes | None,
    encoding: str | None,
) -> Sample | Failure:
    key, source = row_key(uri, row), f"{uri}#{row}"
    try:
        key = text_of(key_value, encoding, "the key") or key
        if content is None and not path:
            if status is not None and status != "success":
                message = f"row {row} has no image: whoever made {name_of(uri)} could not download it"
                return failed_row(key, source, Reason.NOT_DOWNLOADED, message)
            return failed_row(key, source, Reason.NO_IMAGE, f"row {row} has no image")
        caption = caption_text(caption_value, encoding)
        if content is not None:
            return Sample(key=key, source=source, caption=caption, data=content)
        image_uri = resolve(text_of(path, encoding, "the path") or "", folder_of(uri))
    except NoText as error:
        return error.failure(key, source)
    return Sample(key=key, source=image_uri, caption=caption, uri=image_uri, within=folder_of(uri))


def _leaves(image: pa.Field) -> list[str]:
    """What is read of an image's column: of a struct no more than bytes and path, for a list beside them has no end."""
    if not pa.types.is_struct(image.type):
        return [image.name]
    return [
        f"{image.name}.{name}" for name, fits in (("bytes", is_image), ("path", is_text)) if _has(image, name, fits)
    ]


def _has(image: pa.Field, name: str, fits: Callable[[pa.DataType], bool]) -> bool:
    return image.type.get_field_index(name) >= 0 and fits(image.type.field(name).type)


def _images(column: pa.Array) -> tuple[list[bytes | None], list[str | bytes | None]]:
    """The bytes and the paths of the images of a column; None for what a row does not have."""
    nothing: list[Any] = [None] * len(column)
    if not pa.types.is_struct(column.type):
        return _contents(column), nothing
    names = [field.name for field in column.type]
    return (
        _contents(pc.struct_field(column, "bytes")) if "bytes" in names else nothing,
        python_values(pc.struct_field(column, "path")) if "path" in names else nothing,
    )


def _contents(column: pa.Array) -> list[bytes | None]:
    column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    contents: list[bytes | None] = column.to_pylist()
    return contents


def find_columns(schema: pa.Schema, columns: Columns, uri: str) -> tuple[str, str, str | None]:
    """The names of the image's, the caption's and the key's column."""
    return (
        find_image(schema, columns.image, uri),
        find_caption(schema, columns.caption, uri),
        find_key(schema, columns.key, uri),
    )
