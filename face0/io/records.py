"""Records of text files, CSV, TSV and JSONL, each with the range of bytes that it takes.

**CSV** is quoted: a field in quotation marks may hold separators, doubled quotation marks and line breaks. A quotation
mark that is never closed, or that closes only where another row stands, is a stray one: its line is a record by itself,
which is malformed, and the lines behind it are records as ever.

**TSV** is not: a line is a record, a tab ends a field, a quotation mark is one. But pandas and spreadsheets do quote a
field that has a tab, a line break or a quotation mark in it: a field that begins and ends with a quotation mark, and
has only doubled ones in between, is taken out of its quotes; a record that spans lines in this way is malformed.

**JSONL** has a JSON object on each line.
"""

import codecs
import csv
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from face0.io.storage import open_uri
from face0.io.text import BadEncoding, decode_text, wide_encoding

MAX_RECORD_BYTES = 8 * 2**20  # of a line of JSONL, or a record of CSV
MAX_RECORD_LINES = 100  # of CSV; a record of more is a stray quotation mark
MIN_RECORD_LINES = 2  # that are looked at all the same, after many of these

# Python's own limit is 128 KiB, which a data: URI passes.
_MAX_FIELD_CHARS = 2**20
_BUFFER_BYTES = 2**20
_UNPACKED_IN_MEMORY = 16 * 2**20

DELIMITERS = {"csv": ",", "tsv": "\t"}  # by extension; JSONL has none


IsRow = Callable[[Sequence[str]], bool]


class Malformed(Exception):
    """What is wrong with a record, in words."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record and the bytes it takes.

    Attributes:
        start: its first byte.
        stop: the byte behind it.
        content: the fields of CSV and TSV, the line of JSONL; or why there is neither.
    """

    start: int
    stop: int
    content: list[str] | bytes | Malformed | BadEncoding


@contextmanager
def open_text(uri: str, encoding: str | None = None) -> Iterator[IO[bytes]]:
    """Opens a text file as bytes that extend ASCII: of UTF-16 and UTF-32 it gives UTF-8, into which it is turned."""
    with open_uri(uri) as file, io.BufferedReader(file, _BUFFER_BYTES) as buffered:  # type: ignore[type-var]
        wide = wide_encoding(buffered.peek(4096)[:4096]) or _given_wide(encoding)
        if wide is None:
            yield buffered
            return
        name, mark = wide
        buffered.seek(len(mark))
        with tempfile.SpooledTemporaryFile(_UNPACKED_IN_MEMORY) as copy:
            shutil.copyfileobj(codecs.getreader(name)(buffered, "replace"), codecs.getwriter("utf-8")(copy))
            copy.seek(0)
            yield copy


def _given_wide(encoding: str | None) -> tuple[str, bytes] | None:
    name = codecs.lookup(encoding).name if encoding else ""
    return (name, b"") if name.startswith(("utf-16", "utf-32")) else None


def csv_records(
    file: IO[bytes],
    start: int,
    delimiter: str,
    *,
    width: int | None = None,
    encoding: str | None = None,
    is_row: IsRow = lambda _: True,
) -> Iterator[Record]:
    """Records of CSV and TSV from a byte on. Blank lines are none.

    Args:
        file: seekable.
        start: where a record begins.
        delimiter: "," or a tab.
        width: fields of the header; None: this is the header.
        encoding: of lines that are no UTF-8; None: they are malformed.
        is_row: whether fields, as many as the header has or more, look like those of a row: by it a stray quotation
            mark is told from a text of several lines.
    """
    # The limit is the process's, so it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_FIELD_CHARS))
    lines = _Lines(file, start, encoding)
    read = _tsv_record if delimiter == "\t" else _csv_record
    while True:
        begin = lines.begin_record()
        content = read(lines, width, is_row)
        if content is None:
            return
        if content:
            yield Record(start=begin, stop=lines.position, content=content if lines.is_readable else BadEncoding())


def json_records(file: IO[bytes], start: int) -> Iterator[Record]:
    """Records of JSONL from a byte on: its lines, as they are. Blank lines are none."""
    file.seek(start)
    position = start
    while True:
        begin = position
        line, length = _bounded_line(file, MAX_RECORD_BYTES)
        position += length
        if line is None:
            yield Record(start=begin, stop=position, content=Malformed(_TOO_LONG))
        elif not line:
            return
        elif line.removeprefix(codecs.BOM_UTF8).strip():
            yield Record(start=begin, stop=position, content=line)


def json_object(data: bytes, encoding: str | None = None) -> dict[str, Any] | None:
    """The JSON object that a line or a file holds; None for anything else. Raises BadEncoding."""
    text = decode_text(data, encoding)
    try:
        value = json.loads(text)
    # Nesting that is deep on purpose ends in a RecursionError.
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


class _Lines:
    """The lines of a file from a byte on, as text; ``position`` is the byte that the next line starts at.

    Attributes:
        taken: lines of the record at hand, and the byte at which each ends.
        patience: lines that a record may have. A stray quotation mark halves it, and a good record gives one back: so
            a file that is full of them is read in the time of its lines, and not of a hundred for each.
        is_readable: whether they are in the encoding they are read in.
    """

    def __init__(self, file: IO[bytes], start: int, encoding: str | None) -> None:
        file.seek(start)
        self._file, self._encoding = file, encoding
        self._stop = 0
        self.taken: list[tuple[str, int]] = []
        self.patience = MAX_RECORD_LINES
        self.is_readable = True
        self.position = start

    def begin_record(self) -> int:
        """Says that the next line begins a record; returns its byte."""
        self._stop = self.position + MAX_RECORD_BYTES
        self.taken = []
        self.is_readable = True
        return self.position

    def leave_first(self) -> str:
        """Gives back the lines of the record but for the first, which it returns."""
        line, self.position = self.taken[0]
        if len(self.taken) > 1:
            self.patience = max(self.patience // 2, MIN_RECORD_LINES)
            self._file.seek(self.position)
            self.taken = self.taken[:1]
        return line

    def end_record(self) -> None:
        """Says that the lines that were taken are a good record."""
        self.patience = min(self.patience + 1, MAX_RECORD_LINES)

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        """The next line. Raises Malformed of a record that does not end, or of a line that has been passed over."""
        if len(self.taken) == self.patience:
            raise Malformed(f"it goes on for more than {self.patience} lines")
        begin = self.position
        data, length = _bounded_line(self._file, self._stop - begin)
        self.position += length
        if data is None:
            raise Malformed(_TOO_LONG)
        if not data:
            raise StopIteration
        line = self._decoded(data, "utf-8-sig" if begin == 0 else "utf-8")
        self.taken.append((line, self.position))
        return line

    def _decoded(self, line: bytes, utf8: str) -> str:
        for encoding in (utf8, self._encoding):
            try:
                if encoding:
                    return line.decode(encoding)
            except UnicodeDecodeError:
                continue
        self.is_readable = False  # what a line is in another encoding, its separators tell all the same
        return line.decode(utf8, "replace")


_TOO_LONG = f"it has more than the {MAX_RECORD_BYTES} bytes that are read of a record"
_RETURN = (
    "a carriage return stands in it without a line feed: put the field into quotation marks, or, if all lines end so, "
    "`tr '\\r' '\\n' < FILE`"
)
_STRAY = (
    "a quotation mark in it opens a field that does not end: it is probably a stray one; put the field into quotation "
    "marks and double those inside"
)


def _csv_record(lines: _Lines, width: int | None, is_row: IsRow) -> list[str] | Malformed | None:
    """The fields of the next record of CSV, none of a blank line; None at the end."""
    try:
        fields = next(csv.reader(lines, strict=True))
    except StopIteration:
        return None
    except (csv.Error, Malformed) as error:
        why = _RETURN if "new-line character" in str(error) else str(error)
        if not lines.taken:  # a line that is too long
            return Malformed(why)
        line = lines.leave_first()
        if '"' not in line or len(line) > _MAX_FIELD_CHARS:
            return Malformed(why)
        escaped = _strict([line.replace('\\"', '""')], ",") if '\\"' in line else None
        if escaped is not None and len(escaped) == width:
            return escaped  # of Spark and MySQL
        literal = _line(line).split(",")
        is_whole = len(literal) == width and not any(_is_open(field, ",") for field in literal)
        return literal if is_whole else Malformed(_STRAY)  # "Untitled" by X
    if width is not None and len(lines.taken) > 1 and _swallows_rows(lines, width, is_row):
        lines.leave_first()
        return Malformed(_STRAY)
    lines.end_record()
    return fields


def _swallows_rows(lines: _Lines, width: int, is_row: IsRow) -> bool:
    """Whether a record of several lines is rather rows, of which the first has a stray quotation mark."""

    def is_whole(line: str) -> bool:
        fields = _line(line).split(",")
        return len(fields) >= width and is_row(fields)

    first, *others = (line for line, _ in lines.taken)
    return is_whole(first) and any(map(is_whole, others))


def _tsv_record(lines: _Lines, width: int | None, is_row: IsRow) -> list[str] | Malformed | None:  # noqa: ARG001
    """The fields of the next record of TSV, none of a blank line; None at the end."""
    try:
        text = _line(next(lines))
    except StopIteration:
        return None
    except Malformed as error:
        return error
    fields = text.split("\t") if text else []
    lines.end_record()
    if width is None or '"' not in text:
        return [_unquoted(field) for field in fields]
    if len(fields) > width:
        quoted = _strict([text], "\t")
        return quoted if quoted is not None and len(quoted) == width else fields
    if _is_open(text, "\t") and _goes_on(lines, width, is_short=len(fields) < width):
        return Malformed("a field in quotation marks goes on in the next line: that takes CSV or JSONL")
    return [_unquoted(field) for field in fields]


def _goes_on(lines: _Lines, width: int, is_short: bool) -> bool:
    """Whether a line with an open quotation mark is continued by others. If so they are taken, if not given back."""
    try:
        for line in lines:
            if not is_short and len(_line(line).split("\t")) >= width:
                break  # a row by itself
            if '"' in line:
                fields = _strict([text for text, _ in lines.taken], "\t")
                if fields is not None and len(fields) == width:
                    return True
    except Malformed:
        pass
    lines.leave_first()
    return False


def _strict(lines: list[str], delimiter: str) -> list[str] | None:
    """The fields of lines that are one record by the rules of CSV; None if they are not."""
    try:
        records = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return records[0] if len(records) == 1 else None


def _is_open(text: str, delimiter: str) -> bool:
    """Whether a quotation mark opens a field that goes on behind the text."""
    try:
        list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def _unquoted(field: str) -> str:
    if len(field) < 2 or not field[0] == field[-1] == '"':
        return field
    inner = field[1:-1]
    for escaped in ('""', '\\"'):  # the latter of Spark and MySQL
        if '"' not in inner.replace(escaped, ""):
            return inner.replace(escaped, '"')
    return field


def _line(line: str) -> str:
    """A line without its end."""
    return line.removesuffix("\n").removesuffix("\r")


def _bounded_line(file: IO[bytes], limit: int) -> tuple[bytes | None, int]:
    """The next line and its bytes; the line is None, and has been passed over, if there are more than the limit."""
    line = file.readline(max(limit, 0) + 1)
    if len(line) <= max(limit, 0):
        return line, len(line)
    length = len(line)
    while not line.endswith(b"\n") and (line := file.readline(_BUFFER_BYTES)):
        length += len(line)
    return None, length
