"""Lists of images by URI, with captions: Parquet, CSV, TSV and JSONL. LAION's ``URL`` and ``TEXT`` are understood.

A split of a text file is a range of bytes that starts and stops between records; of a Parquet file, a range of rows.
A text file has UTF-8 (what is none is replaced), a header if it is CSV or TSV, at most 1 MiB in a field of these, and
at most 8 MiB in a record.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import IO, Any

import pyarrow as pa

from face0.errors import StorageError, UsageError
from face0.io.storage import STORAGE_ERRORS, open_uri, sha256
from face0.readers.access import NOTHING_MORE, Access
from face0.readers.bounds import MAX_RECORD_BYTES
from face0.readers.captions import json_object, well_formed
from face0.readers.columns import find_also, find_caption, find_key, find_url, text_schema
from face0.readers.failures import failed_row, unreadable_rest
from face0.readers.further_columns import Value, plain
from face0.readers.parquet_rows import (
    UNREADABLE,
    also_values,
    open_parquet,
    out_of_memory,
    read_footer,
    row_batches,
    texts,
)
from face0.readers.samples import Columns, Sample, Split
from face0.readers.uris import folder_of, name_of, resolve, row_key, split_extension
from schemas.failures import Failure, Reason

ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson")  # and .parquet

_BATCH_ROWS = 1024  # of Parquet
_BUFFER_BYTES = 2**20

# Python's own limit is 128 KiB, which a data: URI passes. A stray quote swallows the rows behind it up to this limit.
_MAX_FIELD_CHARS = 2**20

# JSON has no header: the columns are those of so many records.
_HEAD_RECORDS = 100

_MAX_COLUMNS = 10_000


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
        with _open_text(uri) as file:
            head = _head(file, uri)
            _find_columns(head.schema, columns, uri)
            splits = list(_plan_records(_records(file, uri, head), uri, size, rows_per_task))
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
    return _Names(
        url=find_url(schema, columns.url, uri),
        caption=find_caption(schema, columns.caption, uri),
        key=find_key(schema, columns.key, uri),
        also=find_also(schema, columns.also, uri),
    )


def _row(
    uri: str, row: int, url: str | None, caption: str | None, key: str | None, values: Mapping[str, Value]
) -> Sample | Failure:
    key = key or row_key(uri, row)
    reference = (url or "").strip()
    if not reference:
        return failed_row(key, f"{uri}#{row}", Reason.NO_IMAGE, f"row {row} of {name_of(uri)} names no image")
    image_uri = resolve(reference, folder_of(uri))
    within = folder_of(uri)
    return Sample(key=key, source=image_uri, caption=caption, uri=image_uri, within=within, values=values)


def _malformed(uri: str, row: int, message: str) -> Failure:
    message = f"row {row} of {name_of(uri)} is malformed: {message}"
    return failed_row(row_key(uri, row), f"{uri}#{row}", Reason.UNREADABLE_INPUT, message)


# --- Parquet


def _plan_parquet(uri: str, size: int, columns: Columns, rows_per_task: int) -> Iterator[Split]:
    footer = read_footer(uri)
    if footer is None:
        # For read() to report.
        yield Split(reader="uri_list", uri=uri, size=size)
        return
    schema, group_rows = footer
    _find_columns(schema, columns, uri)
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
                urls, captions = texts(batch.column(names.url)), texts(batch.column(names.caption))
                keys = texts(batch.column(names.key)) if names.key is not None else [None] * len(batch)
                also = also_values(batch, names.also)
            except MemoryError:
                yield from (failure for _, failure in out_of_memory(split.uri, range(first, first + len(batch))))
                continue
            for row, fields in enumerate(zip(urls, captions, keys, also, strict=True), start=first):
                yield _row(split.uri, row, *fields)


# --- Text: records, each a range of bytes


@dataclass(frozen=True, kw_only=True)
class _Head:
    """What stands at the beginning of a text file."""

    schema: pa.Schema
    stop: int  # byte at which the records begin


@dataclass(frozen=True, kw_only=True)
class _Record:
    """One record and the bytes it takes."""

    start: int
    stop: int
    content: list[str] | bytes | csv.Error  # fields of CSV, a line of JSONL, or why there is neither


@contextmanager
def _open_text(uri: str) -> Iterator[IO[bytes]]:
    with open_uri(uri) as file, io.BufferedReader(file, _BUFFER_BYTES) as buffered:  # type: ignore[type-var]
        yield buffered


def _delimiter(uri: str) -> str | None:
    """What separates the fields of a CSV or TSV; None for JSONL."""
    return {"csv": ",", "tsv": "\t"}.get(split_extension(name_of(uri))[1])


def _head(file: IO[bytes], uri: str) -> _Head:
    """Reads the names of the columns: of the header, or of the first records of JSONL."""
    delimiter = _delimiter(uri)
    if delimiter is None:
        names: dict[str, None] = {}
        for record in islice(_json_records(file, 0), _HEAD_RECORDS):
            values = _json_fields(record)
            names |= {} if isinstance(values, str) else dict.fromkeys(map(well_formed, values))
            _check_columns(len(names), uri)
        return _Head(schema=text_schema(names), stop=0)
    header = next(_csv_records(file, 0, delimiter), None)
    if header is None or not isinstance(header.content, list):
        reason = "it is empty" if header is None else str(header.content)
        raise UsageError(f"{uri} has no header with the names of its columns: {reason}")
    _check_columns(len(header.content), uri)
    return _Head(schema=text_schema(header.content), stop=header.stop)


def _check_columns(count: int, uri: str) -> None:
    if count > _MAX_COLUMNS:
        raise UsageError(f"{uri} has {count:,} columns; the limit is {_MAX_COLUMNS:,}")


def _records(file: IO[bytes], uri: str, head: _Head, start: int | None = None) -> Iterator[_Record]:
    """The records from a byte on, the first by default."""
    start = head.stop if start is None else start
    delimiter = _delimiter(uri)
    return _json_records(file, start) if delimiter is None else _csv_records(file, start, delimiter)


class _CountedLines:
    """The lines of a file from a byte on, as text; ``position`` is the byte that the next line starts at.

    Raises csv.Error within a record, told by ``begin_record``, that has more bytes than are read of one.
    """

    def __init__(self, file: IO[bytes], start: int) -> None:
        file.seek(start)
        self._file = file
        self._stop = 0
        self.position = start

    def begin_record(self) -> int:
        """Says that the next line begins a record; returns its byte."""
        self._stop = self.position + MAX_RECORD_BYTES
        return self.position

    def __iter__(self) -> "_CountedLines":
        return self

    def __next__(self) -> str:
        begin = self.position
        line, length = _bounded_line(self._file, self._stop - begin)
        self.position += length
        if line is None:
            raise csv.Error(_TOO_LONG)
        if not line:
            raise StopIteration
        return line.decode("utf-8-sig" if begin == 0 else "utf-8", "replace")


_TOO_LONG = f"it has more than the {MAX_RECORD_BYTES} bytes that are read of a record"


def _bounded_line(file: IO[bytes], limit: int) -> tuple[bytes | None, int]:
    """The next line and its bytes; the line is None, and has been passed over, if there are more than the limit."""
    line = file.readline(max(limit, 0) + 1)
    if len(line) <= max(limit, 0):
        return line, len(line)
    length = len(line)
    while not line.endswith(b"\n") and (line := file.readline(_BUFFER_BYTES)):
        length += len(line)
    return None, length


def _csv_records(file: IO[bytes], start: int, delimiter: str) -> Iterator[_Record]:
    """Records of CSV: a quoted field may hold line breaks. Blank lines are none."""
    # The limit is the process's, so it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_FIELD_CHARS))
    lines = _CountedLines(file, start)
    # The reader takes no more lines than the record at hand has, so that their count is the record's end.
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        begin = lines.begin_record()
        content: list[str] | csv.Error
        try:
            content = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            content = error
        if content:
            yield _Record(start=begin, stop=lines.position, content=content)


def _json_records(file: IO[bytes], start: int) -> Iterator[_Record]:
    """Records of JSONL: its lines, as they are. Blank lines are none."""
    file.seek(start)
    position = start
    while True:
        begin = position
        line, length = _bounded_line(file, MAX_RECORD_BYTES)
        position += length
        if line is None:
            yield _Record(start=begin, stop=position, content=csv.Error(_TOO_LONG))
        elif not line:
            return
        elif line.removeprefix(b"\xef\xbb\xbf").strip():
            yield _Record(start=begin, stop=position, content=line)


def _plan_records(records: Iterable[_Record], uri: str, size: int, rows_per_task: int) -> Iterator[Split]:
    start = stop = first_row = rows = 0
    for record in records:
        if rows == 0:
            start = record.start
        stop, rows = record.stop, rows + 1
        if rows >= rows_per_task:
            yield Split(reader="uri_list", uri=uri, size=size, start=start, stop=stop, first_row=first_row, rows=rows)
            first_row, rows = first_row + rows, 0
    if rows:
        yield Split(reader="uri_list", uri=uri, size=size, start=start, stop=stop, first_row=first_row, rows=rows)


def _read_text(split: Split, columns: Columns) -> Iterator[Sample | Failure]:
    with _open_text(split.uri) as file:
        head = _head(file, split.uri)
        names = _find_columns(head.schema, columns, split.uri)
        fields = _json_fields if _delimiter(split.uri) is None else _csv_fields(head.schema.names)
        for row, record in enumerate(_records(file, split.uri, head, split.start), start=split.first_row):
            if split.stop is not None and record.start >= split.stop:
                return
            try:
                values = fields(record)
            except MemoryError:
                message = f"row {row} of {name_of(split.uri)} does not fit into memory as it is read"
                yield failed_row(row_key(split.uri, row), f"{split.uri}#{row}", Reason.OUT_OF_MEMORY, message)
                continue
            if isinstance(values, str):
                yield _malformed(split.uri, row, f"bytes {record.start} to {record.stop}: {values}")
                continue
            key = _text(values.get(names.key)) if names.key is not None else None
            also = {name: plain(values.get(name)) for name in names.also}
            yield _row(split.uri, row, _text(values.get(names.url)), _text(values.get(names.caption)), key, also)


def _csv_fields(names: list[str]) -> Callable[[_Record], dict[str, Any] | str]:
    """Makes the function that gives the fields of a record by name, or says what is wrong with it."""

    def fields(record: _Record) -> dict[str, Any] | str:
        if not isinstance(record.content, list):
            return str(record.content)
        # A comma in a caption that is not quoted would cut the caption off unseen.
        if any(record.content[len(names) :]):
            return f"{len(record.content)} fields under a header of {len(names)}: is one with a separator not quoted?"
        return dict(zip(names, record.content, strict=False))

    return fields


def _json_fields(record: _Record) -> dict[str, Any] | str:
    if not isinstance(record.content, bytes):
        return str(record.content)
    values = json_object(record.content)
    return "it is not a JSON object" if values is None else values


def _text(value: Any) -> str | None:
    """A value of a record as text; None for what is no text or number."""
    if isinstance(value, str):
        return well_formed(value)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
