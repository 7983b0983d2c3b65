"""What the pages of a Parquet file claim, looked at before Arrow makes room for it.

A footer and the header of each page say how large things are, and Arrow allocates as they say; a dictionary's value
comes out once for every row that names it. Here the bytes are watched as Arrow asks for them: they are read once.

The layout is https://github.com/apache/parquet-format, in Thrift's compact protocol.
"""

import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from face0.readers.bounds import MAX_IMAGE_BYTES, Unpacked

MAX_FOOTER_BYTES = 32 * 2**20
MAX_COLUMNS = 10_000
ROWS_PER_BYTE = 8  # a row that repeats the one before takes less than a byte
ROWS_FLOOR = 2**16

_MAX_HEADER_BYTES = 16 * 2**20  # of a page, with the least and the greatest value: as in Arrow
_DICTIONARY = 2  # a kind of page


@dataclass(frozen=True, kw_only=True)
class Page:
    """The header of a page.

    Attributes:
        kind: 2 is that of a dictionary.
        unpacked: bytes that the page claims.
        packed: bytes that follow the header.
        stop: position behind the header.
    """

    kind: int
    unpacked: int
    packed: int
    stop: int


class Incomplete(Exception):
    """The bytes end before the header does."""


@dataclass(kw_only=True)
class Chunk:
    """The pages of a column in a row group, as far as they have been read.

    Attributes:
        start: position of the first header.
        stop: where the chunk ends.
        claimed: bytes of all pages, unpacked, by the footer.
        shares_prefixes: whether values may be told as parts of others.
    """

    start: int
    stop: int
    claimed: int
    shares_prefixes: bool

    @classmethod
    def of(cls, column: pq.ColumnChunkMetaData) -> "Chunk":
        """The chunk of a footer's entry."""
        first = column.dictionary_page_offset
        start = column.data_page_offset
        start = first if first is not None and 0 < first < start else start
        return cls(
            start=start,
            stop=start + column.total_compressed_size,
            claimed=column.total_uncompressed_size,
            shares_prefixes="DELTA_BYTE_ARRAY" in column.encodings,
        )

    def __post_init__(self) -> None:
        self._header = self.start  # position of the next one
        self._part = b""  # what has been read of it

    def watch(self, at: int, data: bytes, count: Unpacked) -> None:
        """Takes note of bytes at a position. Raises ArrowInvalid for a page that claims more than it may."""
        view = memoryview(data)
        while self._header < self.stop:
            begin = self._header + len(self._part) - at
            if not 0 <= begin < len(view):
                return
            try:
                if self._part:
                    page = parse_page(memoryview(self._part + bytes(view[begin:])), 0)
                    behind = self._header + page.stop
                else:
                    page = parse_page(view, begin)
                    behind = at + page.stop
            except Incomplete:
                self._part += bytes(view[begin:])
                if len(self._part) > _MAX_HEADER_BYTES:
                    raise pa.ArrowInvalid("a page whose header does not end") from None
                return
            _check(page, count)
            self._header, self._part = behind + page.packed, b""


def _check(page: Page, count: Unpacked) -> None:
    if page.packed < 0 or page.unpacked < 0:
        raise pa.ArrowInvalid("a page of a negative size")
    if page.unpacked > MAX_IMAGE_BYTES:
        raise pa.ArrowInvalid(f"a page that claims {page.unpacked:,} bytes; the limit is {MAX_IMAGE_BYTES:,}")
    count.packed += page.packed
    count.unpacked += page.unpacked
    if count.is_bomb:
        raise pa.ArrowInvalid(str(count))


class WatchedFile:
    """A file as Arrow reads it, which lets no page through that claims too much."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._chunks: list[Chunk] = []
        self._count = Unpacked()
        self.size = file.seek(0, os.SEEK_END)
        file.seek(0)

    @property
    def closed(self) -> bool:
        """Whether the file is."""
        return self._file.closed

    def readable(self) -> bool:
        """Returns True, as seekable does."""
        return True

    def seekable(self) -> bool:
        """Returns True, as readable does."""
        return True

    def close(self) -> None:
        """Leaves the file to whoever opened it."""

    def flush(self) -> None:
        """Has nothing to do."""

    def tell(self) -> int:
        """The position."""
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves the position."""
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        """Bytes from the position on. Raises ArrowInvalid where a page among them claims too much."""
        at = self._file.tell()
        data = self._file.read(size)
        for chunk in self._chunks:
            chunk.watch(at, data, self._count)
        return data

    def footer_size(self) -> int:
        """Bytes of the footer, as the end of the file says. Raises ArrowInvalid."""
        self._file.seek(max(0, self.size - 8))
        end = self._file.read(8)
        self._file.seek(0)
        if len(end) < 8 or end[4:] not in (b"PAR1", b"PARE"):
            raise pa.ArrowInvalid("it does not end as Parquet files do")
        (footer,) = struct.unpack("<I", end[:4])
        if footer > min(self.size - 8, MAX_FOOTER_BYTES):
            raise pa.ArrowInvalid(f"it claims a footer of {footer:,} bytes; the limit is {MAX_FOOTER_BYTES:,}")
        return int(footer)

    def expect(self, columns: Iterable[pq.ColumnChunkMetaData]) -> int:
        """Watches these chunks from now on.

        Returns:
            Bytes that a row can take which are in no page of it: those of values that it shares with others.
        """
        self._chunks = [Chunk.of(column) for column in columns]
        return sum(self._shared(chunk) for chunk in self._chunks)

    def _shared(self, chunk: Chunk) -> int:
        size = 0
        if chunk.shares_prefixes:
            packed = chunk.stop - chunk.start
            size = max(0, min(chunk.claimed, Unpacked(packed=packed).limit))
        self._file.seek(chunk.start)
        try:
            page = parse_page(memoryview(self._file.read(min(2**16, max(0, chunk.stop - chunk.start)))), 0)
        except Incomplete:  # a dictionary's header has some 20 bytes
            return size
        return max(size, page.unpacked) if page.kind == _DICTIONARY else size


def check_rows(groups: list[int], size: int) -> None:
    """Raises ArrowInvalid if row groups claim more rows than a file of this size can have."""
    rows = sum(groups)
    if min(groups, default=0) < 0 or rows > ROWS_FLOOR + ROWS_PER_BYTE * size:
        raise pa.ArrowInvalid(f"it claims {rows:,} rows in {size:,} bytes")


# --- Thrift's compact protocol

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_MAX_DEPTH = 16


def parse_page(data: memoryview, at: int) -> Page:
    """The page header at a position. Raises Incomplete if the bytes end before it does, ArrowInvalid for none."""
    numbers = {1: -1, 2: -1, 3: -1}  # kind, bytes unpacked, bytes packed
    field = 0
    while True:
        head, at = _byte(data, at)
        if not head:
            break
        field, at = (field + (head >> 4), at) if head >> 4 else _signed(data, at)
        if field in numbers and head & 15 == _I32:
            numbers[field], at = _signed(data, at)
        else:
            at = _skip(data, at, head & 15, _MAX_DEPTH)
    if numbers[1] < 0:
        raise pa.ArrowInvalid("a page without a header")
    return Page(kind=numbers[1], unpacked=numbers[2], packed=numbers[3], stop=at)


def _byte(data: memoryview, at: int) -> tuple[int, int]:
    if at >= len(data):
        raise Incomplete
    return data[at], at + 1


def _unsigned(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte, at = _byte(data, at)
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise pa.ArrowInvalid("a page header with a number that does not end")


def _signed(data: memoryview, at: int) -> tuple[int, int]:
    value, at = _unsigned(data, at)
    return (value >> 1) ^ -(value & 1), at


def _skip(data: memoryview, at: int, kind: int, depth: int) -> int:
    """The position behind a value."""
    if not depth:
        raise pa.ArrowInvalid("a page header that is too deep")
    if kind in (_TRUE, _FALSE):
        return at
    if kind == _BYTE:
        return at + 1
    if kind in (_I16, _I32, _I64):
        return _unsigned(data, at)[1]
    if kind == _DOUBLE:
        return at + 8
    if kind == _BINARY:
        length, at = _unsigned(data, at)
        return at + length
    if kind == _STRUCT:
        while True:
            head, at = _byte(data, at)
            if not head:
                return at
            if not head >> 4:
                at = _unsigned(data, at)[1]
            at = _skip(data, at, head & 15, depth - 1)
    # Lists, sets and maps: no page header has one.
    raise pa.ArrowInvalid("a page header with a value of an unknown kind")
