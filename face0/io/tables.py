"""Tables from files that people write: Parquet, CSV, TSV, JSONL. What is text there stays text."""

import io
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from face0.errors import StorageError, UsageError
from face0.io import storage
from face0.io.records import DELIMITERS, Record, csv_records, json_object, json_records
from face0.io.secrets import public
from face0.io.text import BadEncoding, decode_text, well_formed

SAVE_AS_UTF8 = "save it as UTF-8 (iconv -f WINDOWS-1252 -t UTF-8)"
JSON_ARRAY = "one JSON value, and not an object on each line: jq -c '.[]' a.json > a.jsonl makes these of an array"


def read_rows(uri: str) -> pa.Table:
    """The rows of a Parquet, CSV, TSV or JSONL file, told by its name. The index that pandas adds is left out.

    Columns of CSV and TSV are strings, those of JSONL what JSON says they are.

    Raises:
        UsageError: it is none of these, or cannot be read.
    """
    name = file_format(uri)
    if name == "json":
        raise UsageError(f"{uri} is {json_remedy(uri)}")
    if name not in ("parquet", "jsonl", *DELIMITERS):
        raise UsageError(f"{uri}: give a file named .parquet, .csv, .tsv or .jsonl")
    try:
        with storage.open_uri(uri) as file:
            table = pq.read_table(file) if name == "parquet" else _text_table(_utf8(file.read()), name, uri)
    except StorageError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"cannot read {uri}: {error}") from error
    except BadEncoding as error:
        raise UsageError(f"cannot read {uri}: {error}; {SAVE_AS_UTF8}") from error
    return table.select([i for i, column in enumerate(table.column_names) if not is_index(column)])


def file_format(uri: str) -> str:
    """The format that a file's name tells: its extension in lower case, ``jsonl`` for ``ndjson``.

    >>> file_format("s3://bucket/faces.v2.CSV"), file_format("rows.ndjson")
    ('csv', 'jsonl')
    """
    return public(uri).rsplit(".", 1)[-1].lower().replace("ndjson", "jsonl")


def json_remedy(uri: str) -> str:
    """What a file named .json is, and what makes lines of it."""
    with storage.open_uri(uri) as file:
        lines = file.read(2**20).split(b"\n")
    try:
        objects = [json_object(line) for line in lines[:2] if line.strip()]
    except BadEncoding:
        objects = []
    if len(objects) == 2 and None not in objects:
        return "lines of JSON: name it .jsonl, which they are told by"
    return JSON_ARRAY


def read_text(uri: str) -> str:
    """The text of a file, without a byte order mark: see ``decode_text``. Raises UsageError if it cannot be read."""
    try:
        with storage.open_uri(uri) as file:
            return decode_text(file.read())
    except StorageError:
        raise
    except OSError as error:
        raise UsageError(f"cannot read {uri} as text: {error}") from error
    except BadEncoding as error:
        raise UsageError(f"cannot read {uri}: {error}; {SAVE_AS_UTF8}") from error


def is_index(name: str) -> bool:
    """Whether a column is the index that pandas writes beside the columns of its table."""
    return name == "" or name.startswith(("__index_level_", "Unnamed: "))


def as_text(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """A column as strings: whole numbers without a point, as pandas makes floats of them where one is missing.

    Raises:
        ArrowException: it holds lists or the like.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        whole = pc.all(pc.equal(column, pc.floor(column))).as_py() is not False
        column = column.cast(pa.int64()) if whole else column
    return column.cast(pa.string())


def as_type(column: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    """A column of another type, text parsed; an empty text is null unless text is asked for.

    Raises:
        ArrowException: a value is none of that type.
    """
    if pa.types.is_string(kind):
        return as_text(column)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.utf8_trim_whitespace(column)
        column = pc.if_else(pc.is_in(column, pa.array(_NULLS, column.type)), None, column)
        if pa.types.is_integer(kind):
            try:
                return column.cast(kind)
            except pa.ArrowInvalid:
                column = column.cast(pa.float64())  # 2.0, as pandas writes whole numbers where one is missing
    return column.cast(kind)


_NULLS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>")


def _utf8(data: bytes) -> bytes:
    return decode_text(data).encode()


def _text_table(data: bytes, name: str, uri: str) -> pa.Table:
    if name == "jsonl":
        return _json_table(data, uri)
    rows = _fields(data, DELIMITERS[name], uri)
    header = next(rows, None)
    if header is None:
        raise UsageError(f"cannot read {uri}: it is empty")
    columns: list[list[str]] = [[] for _ in header]
    for fields in rows:
        for column, field in zip(columns, fields, strict=True):
            column.append(field)
    return pa.Table.from_arrays([pa.array(column, pa.string()) for column in columns], names=header)


def _fields(data: bytes, delimiter: str, uri: str) -> Iterator[Sequence[str]]:
    """The fields of the header, and of each record behind it. Raises UsageError for a record that has not as many."""
    file = io.BytesIO(data)
    header = next(csv_records(file, 0, delimiter), None)
    if header is None:
        return
    yield (names := _checked(header, data, uri))

    def is_row(fields: Sequence[str]) -> bool:
        # Behind the commas of prose there is a space, or a line ends.
        return 1 < len(fields) == len(names) and all(field and not field.startswith(" ") for field in fields[1:])

    for record in csv_records(file, header.stop, delimiter, width=len(names), is_row=is_row):
        fields = _checked(record, data, uri)
        if len(fields) != len(names):
            raise UsageError(
                f"cannot read {uri}: line {_line_number(record, data)} has {len(fields)} fields under a header of "
                f"{len(names)}: is one with a separator not quoted?"
            )
        yield fields


def _checked(record: Record, data: bytes, uri: str) -> list[str]:
    if isinstance(record.content, list):
        return record.content
    raise UsageError(f"cannot read {uri}: line {_line_number(record, data)} is malformed: {record.content!s}")


def _line_number(record: Record, data: bytes) -> int:
    return data.count(b"\n", 0, record.start) + 1


def _json_table(data: bytes, uri: str) -> pa.Table:
    if data.lstrip().startswith(b"["):
        raise UsageError(f"{uri} is {JSON_ARRAY}")
    rows = []
    for record in json_records(io.BytesIO(data), 0):
        row = json_object(record.content) if isinstance(record.content, bytes) else None
        if row is None:
            raise UsageError(f"cannot read {uri}: line {_line_number(record, data)} is no JSON object")
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _json_column([row.get(name) for row in rows]) for name in names})


def _json_column(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, UnicodeEncodeError):  # text beside numbers; halves of surrogate pairs
        return pa.array([None if value is None else well_formed(str(value)) for value in values], pa.string())
