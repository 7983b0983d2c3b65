"""Lists of images by URI, with captions: Parquet, CSV, TSV and JSONL. LAION's ``URL`` and ``TEXT`` are understood.

A split of a text file is a range of bytes that starts and stops between records (see ``face0.io.records``); of a
Parquet file, a range of rows. CSV and TSV have a header unless the caller names their columns.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import IO, Any

import pyarrow as pa

from face0.errors import StorageError, UsageError
from face0.images.formats import IMAGE_EXTENSIONS
from face0.io.records import (
    DELIMITERS,
    Malformed,
    Record,
    csv_records,
    json_object,
    json_records,
    open_text,
)
from face0.io.storage import STORAGE_ERRORS, sha256
from face0.io.tables import JSON_ARRAY
from face0.io.text import BadEncoding, well_formed
from face0.readers.access import NOTHING_MORE, Access
from face0.readers.columns import find_also, find_caption, find_key, find_url, note_lists, text_schema
from face0.readers.failures import failed_row, unreadable_rest
from face0.readers.further_columns import Value, plain
from face0.readers.parquet_rows import UNREADABLE, also_values, open_parquet, out_of_memory, read_footer, row_batches
from face0.readers.samples import Columns, Sample, Split
from face0.readers.uris import folder_of, name_of, resolve, row_key, split_extension
from face0.readers.values import ENCODING_REMEDY, NoText, caption_text, not_encoded, python_values, text_of
from schemas.failures import Failure, Reason

ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson")  # and .parquet

_BATCH_ROWS = 1024  # of Parquet

# JSON has no header: the columns are those of so many records.
_HEAD_RECORDS = 100

_MAX_COLUMNS = 10_000

_Unread = Malformed | BadEncoding  # what may stand in the place of a record's content


def plan(
    uri: str,
    size: int,
    columns: Columns,
    rows_per_task: int,
    access: Access = NOTHING_MORE,
) -> Iterator[Split]:
    """Splits of ``rows_per_task`` records; a text file is read once, for where they begin.

    Raises:
        UsageError: a column is missing, or a text file has no header or cannot be read.
    """
    if _is_parquet(uri):
        yield from _plan_parquet(uri, size, columns, rows_per_task)
        return
    try:
        with open_text(uri, columns.encoding) as file:
            head = _head(file, uri, columns)
            note_lists(head.schema, head.names.caption, uri)
            splits = list(_plan_records(file, uri, head, columns, size, rows_per_task))
        digest = sha256(uri)
        yield from (replace(split, sha256=digest) for split in splits)
    except StorageError:
        raise
    except OSError as error:
        raise UsageError(f"cannot read {uri}: {error}") from error


def read(split: Split, columns: Columns, access: Access = NOTHING_MORE) -> Iterator[Sample | Failure]:
    """Streams the rows of a split. A record that is malformed or names no image is a Failure in its place."""
    try:
        if _is_parquet(split.uri):
            yield from _read_parquet(split, columns)
        else:
            yield from _read_text(split, columns)
    except STORAGE_ERRORS:
        raise
    except (*UNREADABLE, MemoryError) as error:
        yield unreadable_rest(split.uri, error, part=f"rows from {split.first_row}")


def _is_parquet(uri: str) -> bool:
    return split_extension(name_of(uri))[1] == "parquet"


# --- Rows


@dataclass(frozen=True, kw_only=True)
class _Names:
    """The columns of a list."""

    url: str
    caption: str
    key: str | None
    also: list[str]


def _find_columns(schema: pa.Schema, columns: Columns, uri: str) -> _Names:
    url = columns.url or (columns.image if columns.image in schema.names else None)
    return _Names(
        url=find_url(schema, url, uri),
        caption=find_caption(schema, columns.caption, uri),
        key=find_key(schema, columns.key, uri),
        also=find_also(schema, columns.also, uri),
    )


def _row(
    uri: str, row: int, values: Sequence[Any], encoding: str | None, also: Mapping[str, Value]
) -> Sample | Failure:
    """The row of the values of a URI, a caption and a key."""
    url, caption, name = values
    key = row_key(uri, row)
    try:
        key = text_of(name, encoding, "the key") or key
        reference = (text_of(url, encoding, "the URI") or "").strip()
        if not reference:
            message = f"row {row} of {name_of(uri)} names no image"
            return failed_row(key, f"{uri}#{row}", Reason.NO_IMAGE, message)
        if _PRINTED_IMAGE.match(reference):
            message = f"row {row} of {name_of(uri)} holds an image as Python prints it, and no URI: {_PRINTED_REMEDY}"
            return failed_row(key, f"{uri}#{row}", Reason.NO_IMAGE, message)
        image_uri = resolve(_with_scheme(reference), folder_of(uri))
        return Sample(
            key=key,
            source=image_uri,
            caption=caption_text(caption, encoding),
            uri=image_uri,
            within=folder_of(uri),
            values=also,
        )
    except NoText as error:
        return error.failure(key, f"{uri}#{row}")


# JPEG, PNG, GIF and WebP in base64: some data sets have it in a column of text
_BASE64 = re.compile(r"(?:/9j/|iVBORw0KGgo|R0lGOD|UklGR)[A-Za-z0-9+/\s]{100,}={0,2}\s*")


# Of to_csv: {'bytes': b'...', 'path': None}, b'...', <PIL.JpegImagePlugin.JpegImageFile ...>
_PRINTED_IMAGE = re.compile(r"\{['\"](?:bytes|path)['\"]:|b['\"].*\\|<PIL\.", re.DOTALL)
_PRINTED_REMEDY = "save the table as Parquet, `Dataset.to_parquet` or `DataFrame.to_parquet`"


def _with_scheme(reference: str) -> str:
    return f"data:;base64,{reference}" if _BASE64.fullmatch(reference) else reference


def _malformed(uri: str, row: int, record: Record, error: _Unread) -> Failure:
    key, source, place = row_key(uri, row), f"{uri}#{row}", f"row {row} of {name_of(uri)}"
    if isinstance(error, BadEncoding):
        return not_encoded(place, error).failure(key, source)
    message = f"{place} is malformed: bytes {record.start} to {record.stop}: {error}"
    return failed_row(key, source, Reason.MALFORMED, message)


# --- Parquet


def _plan_parquet(uri: str, size: int, columns: Columns, rows_per_task: int) -> Iterator[Split]:
    footer = read_footer(uri)
    if footer is None:
        # For read() to report.
        yield Split(reader="uri_list", uri=uri, size=size)
        return
    schema, group_rows = footer
    note_lists(schema, _find_columns(schema, columns, uri).caption, uri)
    total = sum(group_rows)
    for start in range(0, total, rows_per_task):
        stop = min(start + rows_per_task, total)
        yield Split(reader="uri_list", uri=uri, size=size, start=start, stop=stop, first_row=start, rows=stop - start)


def _read_parquet(split: Split, columns: Columns) -> Iterator[Sample | Failure]:
    with open_parquet(split.uri) as file:
        names = _find_columns(file.schema, columns, split.uri)
        rows = range(split.start, sum(file.group_rows) if split.stop is None else split.stop)
        wanted = list(dict.fromkeys(name for name in (names.url, names.caption, names.key, *names.also) if name))
        for first, batch in row_batches(file, split.uri, rows, wanted, _BATCH_ROWS):
            if isinstance(batch, Failure):
                yield batch
                continue
            try:
                urls, captions = (python_values(batch.column(name)) for name in (names.url, names.caption))
                keys = python_values(batch.column(names.key)) if names.key is not None else [None] * len(batch)
                also = also_values(batch, names.also)
            except MemoryError:
                yield from (failure for _, failure in out_of_memory(split.uri, range(first, first + len(batch))))
                continue
            for row, (*values, further) in enumerate(zip(urls, captions, keys, also, strict=True), start=first):
                yield _row(split.uri, row, values, columns.encoding, further)


# --- Text: records, each a range of bytes


@dataclass(frozen=True, kw_only=True)
class _Head:
    """What stands at the beginning of a text file."""

    schema: pa.Schema
    names: _Names
    stop: int  # byte at which the records begin


def _delimiter(uri: str) -> str | None:
    """What separates the fields of a CSV or TSV; None for JSONL."""
    return DELIMITERS.get(split_extension(name_of(uri))[1])


def _head(file: IO[bytes], uri: str, columns: Columns) -> _Head:
    """Reads the names of the columns: of the header, or of the first records of JSONL."""
    delimiter = _delimiter(uri)
    stop = 0
    if delimiter is None:
        schema = _json_schema(file, uri, columns)
    elif columns.header is not None:
        schema = text_schema(columns.header)
    else:
        header = next(csv_records(file, 0, delimiter, encoding=columns.encoding), None)
        if header is None or not isinstance(header.content, list):
            reason = "it is empty" if header is None else str(header.content)
            remedy = f"; {ENCODING_REMEDY}" if header and isinstance(header.content, BadEncoding) else ""
            raise UsageError(f"{uri} has no header with the names of its columns: {reason}{remedy}")
        _check_columns(len(header.content), uri)
        schema, stop = text_schema(header.content), header.stop
    try:
        return _Head(schema=schema, names=_find_columns(schema, columns, uri), stop=stop)
    except UsageError as error:
        if stop and (what := _odd_separator(schema.names, delimiter)) is not None:
            raise UsageError(f"{uri} has no header that can be read: {what}") from error
        if stop and any(map(_is_reference, schema.names)):
            raise UsageError(
                f"{uri} seems to have no header: its first line was taken for one, and has what looks like an image's "
                "URI in it. Name its columns in their order, as --columns caption,url"
            ) from error
        raise


def _odd_separator(header: Sequence[str], delimiter: str | None) -> str | None:
    """What separates the columns of a header in which none is known, with the remedy; None: what should."""
    line = "".join(header)
    if line.lower().startswith("sep="):
        return "its first line is Excel's `sep=`; take it out, `sed -i 1d FILE`"
    if "\r" in line:
        return "its lines end in carriage returns alone; `tr '\\r' '\\n' < FILE` makes line feeds of them"
    others = {";": "semicolons", "\t": "tabs", ",": "commas", "|": "bars"}
    name = others.get(max(others, key=line.count)) if any(map(line.count, others)) else None
    if name is None or len(header) > 1 + (delimiter == "\t"):
        return None
    remedy = {"tabs": "name it .tsv", "commas": "name it .csv"}.get(name, "save it with commas, or with tabs as .tsv")
    return f"its columns seem to be separated by {name}: {remedy}"


def _json_schema(file: IO[bytes], uri: str, columns: Columns) -> pa.Schema:
    """The columns of JSONL: of lists, where a caption is one, and of text."""
    kinds: dict[str, pa.DataType] = {}
    for record in islice(json_records(file, 0), _HEAD_RECORDS):
        values = _json_fields(record, columns.encoding)
        if isinstance(values, _Unread):
            if not kinds and isinstance(record.content, bytes) and record.content.lstrip().startswith(b"["):
                raise UsageError(f"{uri} is {JSON_ARRAY}")
            continue
        for name, value in values.items():
            kind = pa.list_(pa.string()) if isinstance(value, list) else pa.string()
            kinds[well_formed(name)] = kind if value is not None else kinds.get(well_formed(name), kind)
        _check_columns(len(kinds), uri)
    return pa.schema(list(kinds.items()))


def _check_columns(count: int, uri: str) -> None:
    if count > _MAX_COLUMNS:
        raise UsageError(f"{uri} has {count:,} columns; the limit is {_MAX_COLUMNS:,}")


def _records(file: IO[bytes], uri: str, head: _Head, columns: Columns, start: int) -> Iterator[Record]:
    """The records from a byte on."""
    delimiter = _delimiter(uri)
    if delimiter is None:
        return json_records(file, start)
    place = head.schema.names.index(head.names.url)
    return csv_records(
        file,
        start,
        delimiter,
        width=len(head.schema),
        encoding=columns.encoding,
        is_row=lambda fields: _is_reference(fields[place]),
    )


_REFERENCE = re.compile(
    rf"\s*(?:[a-z][a-z0-9+.-]*://|data:|\S+\.(?:{'|'.join(sorted(IMAGE_EXTENSIONS))})\b)", re.IGNORECASE
)


def _is_reference(field: str) -> bool:
    """Whether a field looks like the URI or the path of an image."""
    return _REFERENCE.match(field) is not None


def _plan_records(
    file: IO[bytes], uri: str, head: _Head, columns: Columns, size: int, rows_per_task: int
) -> Iterator[Split]:
    stop, first_row = head.stop, 0
    while True:
        start, rows = None, 0
        # From there on anew, as the task will: what is a record depends on those before it where many are malformed.
        for record in islice(_records(file, uri, head, columns, stop), rows_per_task):
            start, stop, rows = record.start if start is None else start, record.stop, rows + 1
        if start is None:
            return
        yield Split(reader="uri_list", uri=uri, size=size, start=start, stop=stop, first_row=first_row, rows=rows)
        first_row += rows


def _read_text(split: Split, columns: Columns) -> Iterator[Sample | Failure]:
    with open_text(split.uri, columns.encoding) as file:
        head = _head(file, split.uri, columns)
        fields = _json_fields if _delimiter(split.uri) is None else _csv_fields(head.schema.names)
        wanted = (head.names.url, head.names.caption, head.names.key)
        records = _records(file, split.uri, head, columns, split.start)
        for row, record in enumerate(records, start=split.first_row):
            if split.stop is not None and record.start >= split.stop:
                return
            try:
                values = fields(record, columns.encoding)
            except MemoryError:
                message = f"row {row} of {name_of(split.uri)} does not fit into memory as it is read"
                yield failed_row(row_key(split.uri, row), f"{split.uri}#{row}", Reason.OUT_OF_MEMORY, message)
                continue
            if isinstance(values, _Unread):
                yield _malformed(split.uri, row, record, values)
                continue
            also = {name: plain(values.get(name)) for name in head.names.also}
            row_values = [None if name is None else values.get(name) for name in wanted]
            yield _row(split.uri, row, row_values, columns.encoding, also)


def _csv_fields(names: list[str]) -> Callable[[Record, str | None], dict[str, Any] | _Unread]:
    """Makes the function that gives the fields of a record by name, or says what is wrong with it."""

    def fields(record: Record, encoding: str | None) -> dict[str, Any] | _Unread:
        if not isinstance(record.content, list):
            return record.content if isinstance(record.content, _Unread) else Malformed("")
        # A comma in a caption that is not quoted would cut the caption off unseen.
        if any(record.content[len(names) :]):
            return Malformed(
                f"{len(record.content)} fields under a header of {len(names)}: is one with a separator not quoted?"
            )
        return dict(zip(names, record.content, strict=False))

    return fields


def _json_fields(record: Record, encoding: str | None) -> dict[str, Any] | _Unread:
    if not isinstance(record.content, bytes):
        return record.content if isinstance(record.content, _Unread) else Malformed("")
    try:
        values: dict[str, Any] | None = json_object(record.content, encoding)
    except BadEncoding as error:
        return error
    return Malformed("it is not a JSON object") if values is None else values
