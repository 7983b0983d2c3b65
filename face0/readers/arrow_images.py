"""Arrow's IPC files with the bytes of images in them, as Hugging Face's ``save_to_disk`` writes them.

Both forms are read: the stream, and the file, which is a stream between a magic and an index. One file is one split.
"""

import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import pyarrow as pa

from face0.errors import UsageError
from face0.io.folder import Folder, lies_within
from face0.io.storage import STORAGE_ERRORS, join, open_uri
from face0.readers.access import NOTHING_MORE, Access, NoFile, NotAllowed, is_local
from face0.readers.bounds import MAX_ARROW_BATCH_BYTES, MAX_SIDECAR_BYTES, UNPACKED_FLOOR, UNPACKED_PER_BYTE
from face0.readers.columns import find_also, known_image
from face0.readers.failures import unreadable_rest
from face0.readers.parquet_images import batch_rows, find_columns
from face0.readers.parquet_pages import MAX_COLUMNS
from face0.readers.parquet_rows import UNREADABLE
from face0.readers.samples import Columns, Sample, Split
from schemas.failures import Failure

ENDINGS = (".arrow", ".feather")

_MAGIC = b"ARROW1\0\0"
_END = b"\xff\xff\xff\xff\0\0\0\0"
_BATCH_ROWS = 64  # made into Python's bytes at a time
_DICTIONARY_BYTES = 32 * 2**20  # of all values that rows share


def plan(
    uri: str,
    size: int,
    columns: Columns,
    rows_per_task: int,
    access: Access = NOTHING_MORE,
) -> Iterator[Split]:
    """One split: the whole file.

    Raises:
        UsageError: a column is missing.
    """
    try:
        with _batches(uri) as reader:
            schema = reader.schema
    except STORAGE_ERRORS:
        raise
    except UNREADABLE:
        _refuse_other_forms(uri)
        schema = None  # for read() to report
    if schema is not None:
        if columns.image is None and known_image(schema) is None:
            raise UsageError(
                f"no column of {uri} is known to hold images: name it with --image-column; of a list of URIs make "
                f"Parquet, `Dataset.to_parquet`; there are: {', '.join(schema.names)}"
            )
        find_columns(schema, columns, uri)
        find_also(schema, columns.also, uri)
    yield Split(reader="arrow_images", uri=uri, size=size)


def _refuse_other_forms(uri: str) -> None:
    """Raises UsageError for a file that is whole, and has no stream in it."""
    with open_uri(uri) as file:
        head = file.read(len(_MAGIC))
        last = head
        while chunk := file.read(2**20):
            last = (last + chunk)[-len(_MAGIC) :]
    if head.startswith(b"FEA1"):
        raise UsageError(
            f"{uri} is of Feather's first version, which is not read: `pandas.read_feather(FILE)` reads it, "
            "and `.to_parquet(...)` makes Parquet of it"
        )
    if head == _MAGIC and last.endswith(b"ARROW1"):
        raise UsageError(
            f"{uri} has no stream of record batches, as polars writes it: "
            "`polars.read_ipc(FILE).write_parquet(...)` makes Parquet of it"
        )


def read(split: Split, columns: Columns, access: Access = NOTHING_MORE) -> Iterator[Sample | Failure]:
    """Streams the rows of a file, a record batch at a time. Where it is corrupt, one Failure stands for the rest."""
    row = 0
    try:
        with _batches(split.uri) as reader:
            for batch in reader:
                batch.validate(full=True)
                for start in range(0, len(batch), _BATCH_ROWS):
                    part = batch.slice(start, _BATCH_ROWS)
                    yield from batch_rows(part, row, split.uri, columns)
                    row += len(part)
    except STORAGE_ERRORS:
        raise
    except (*UNREADABLE, MemoryError) as error:
        yield unreadable_rest(split.uri, error, part=f"rows from {row}")


def saved_files(uri: str, access: Access) -> list[str] | None:
    """The Arrow files of a folder that ``save_to_disk`` wrote, as URIs; None: it is no such folder.

    Raises:
        UsageError: what its records name is no file of the folder.
    """
    folder = Folder(uri)
    parts = _record(folder, "dataset_dict.json").get("splits")
    names = []
    for part in parts if isinstance(parts, list) else [""]:
        prefix = f"{part}/" if part else ""
        if not isinstance(part, str) or not lies_within(part):
            raise UsageError(f"{uri}/dataset_dict.json names {part!r}, which is no folder below it")
        files = _record(folder, f"{prefix}state.json").get("_data_files")
        names += [f"{prefix}{file.get('filename')}" for file in files or [] if isinstance(file, dict)]
    for name in names:
        if not lies_within(name) or not name.endswith(ENDINGS):
            raise UsageError(f"{uri} names {name!r} as a file of its data set, which is no Arrow file below it")
        try:
            if is_local(uri):
                access.local_file(join(uri, name), within=uri)
        except (NotAllowed, NoFile) as error:
            raise UsageError(f"{join(uri, name)} is not read: {error}") from error
    return [join(uri, name) for name in names] or None


def _record(folder: Folder, name: str) -> dict[str, Any]:
    """A JSON object of a folder; empty, if there is none."""
    info = folder.info(name)
    if info is None or info.get("type") != "file" or int(info.get("size") or 0) > MAX_SIDECAR_BYTES:
        return {}
    try:
        value = json.loads(folder.read(name))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


@contextmanager
def _batches(uri: str) -> Iterator[pa.RecordBatchReader]:
    """The record batches of a file. Raises one of STORAGE_ERRORS or UNREADABLE, here and as they are read."""
    with open_uri(uri) as file:
        reader = pa.ipc.open_stream(pa.PythonFile(_Checked(file), "r"))
        if len(reader.schema) > MAX_COLUMNS:
            raise pa.ArrowInvalid(f"it has {len(reader.schema):,} columns; the limit is {MAX_COLUMNS:,}")
        yield reader


class _Bounded:
    """A file of which nobody reads more at once than a record batch may have, whatever a header says."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._head = file.read(len(_MAGIC))
        if self._head == _MAGIC:
            self._head = b""
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        """So many bytes. Raises ArrowInvalid if they are too many."""
        if not 0 <= size <= MAX_ARROW_BATCH_BYTES:
            raise pa.ArrowInvalid(
                f"a record batch has {size:,} bytes, and at most {MAX_ARROW_BATCH_BYTES:,} are read: "
                "write it again with fewer rows in a batch"
            )
        data, self._head = self._head[:size], self._head[size:]
        if len(data) < size:
            data += self._file.read(size - len(data))
        self.last = (self.last + data[-len(_END) :])[-len(_END) :]
        return data


class _Checked:
    """The stream of messages again, each looked at before Arrow unpacks it."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = _Bounded(file)
        self._messages = pa.ipc.MessageReader.open_stream(pa.PythonFile(self._file, "r"))
        self._parts: list[memoryview] = []
        self._dictionary_bytes = 0

    def read(self, size: int = -1) -> memoryview | bytes:
        """So many bytes, fewer or none at the end."""
        chunks: list[memoryview] = []
        while size > 0 and (self._parts or self._next()):
            part = self._parts.pop(0)
            if len(part) > size:
                self._parts.insert(0, part[size:])
            chunks.append(part[:size])
            size -= len(chunks[-1])
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _next(self) -> bool:
        try:
            message = self._messages.read_next_message()
        except StopIteration:
            if self._file.last != _END:
                raise pa.ArrowInvalid("the stream stops without its end mark") from None
            return False
        body = memoryview(message.body) if message.body is not None else memoryview(b"")
        metadata = memoryview(message.metadata)
        if message.type in ("record batch", "dictionary"):
            self._check(message.type, metadata, body)
        padding = -len(metadata) % 8
        head = struct.pack("<II", 0xFFFFFFFF, len(metadata) + padding)
        self._parts = [part for part in (memoryview(head), metadata, memoryview(bytes(padding)), body) if len(part)]
        return True

    def _check(self, kind: str, metadata: memoryview, body: memoryview) -> None:
        """Raises ArrowInvalid for a message that claims more than it has."""
        try:
            batch = _Table(metadata).table(2)
            if kind == "dictionary" and batch is not None:
                batch = batch.table(1)
            if batch is None:
                raise pa.ArrowInvalid("a record batch says nothing of itself")
            rows, unpacked = batch.integer(0), _unpacked(batch, body)
        except (struct.error, IndexError) as error:
            raise pa.ArrowInvalid("the header of a record batch is corrupt") from error
        if rows > 8 * max(len(body), unpacked) + 2**16:
            raise pa.ArrowInvalid(f"a record batch claims {rows:,} rows in {len(body):,} bytes")
        if unpacked > min(UNPACKED_FLOOR + UNPACKED_PER_BYTE * len(body), MAX_ARROW_BATCH_BYTES):
            raise pa.ArrowInvalid(f"a record batch unpacks to {unpacked:,} bytes, more than are read of one")
        if kind == "dictionary":
            self._dictionary_bytes += max(len(body), unpacked)
            if self._dictionary_bytes > _DICTIONARY_BYTES:
                raise pa.ArrowInvalid(f"its dictionaries have more than {_DICTIONARY_BYTES:,} bytes")


def _unpacked(batch: "_Table", body: memoryview) -> int:
    """To how many bytes the buffers of a record batch unpack; 0: they are not packed."""
    if batch.table(3) is None:
        return 0
    total = 0
    for offset, length in batch.pairs(2):
        if length >= 8:
            (claimed,) = struct.unpack_from("<q", body, offset)
            total += length if claimed == -1 else max(claimed, 0)
    return total


class _Table:
    """A table of flatbuffers, by the numbers of its fields (Arrow's Message.fbs). Raises struct.error off its end."""

    def __init__(self, data: memoryview, position: int | None = None) -> None:
        self._data = data
        self._at = struct.unpack_from("<I", data, 0)[0] if position is None else position

    def integer(self, number: int) -> int:
        """A field of 64 bits; 0 where it is not there."""
        place = self._field(number)
        return 0 if place is None else int(struct.unpack_from("<q", self._data, place)[0])

    def table(self, number: int) -> "_Table | None":
        """A field that is a table itself."""
        place = self._field(number)
        if place is None:
            return None
        return _Table(self._data, place + struct.unpack_from("<I", self._data, place)[0])

    def pairs(self, number: int) -> Iterator[tuple[int, int]]:
        """A field that is a vector of two integers of 64 bits each."""
        place = self._field(number)
        if place is not None:
            vector = place + struct.unpack_from("<I", self._data, place)[0]
            for item in range(struct.unpack_from("<I", self._data, vector)[0]):
                offset, length = struct.unpack_from("<qq", self._data, vector + 4 + 16 * item)
                yield offset, length

    def _field(self, number: int) -> int | None:
        offsets = self._at - struct.unpack_from("<i", self._data, self._at)[0]
        if offsets < 0:
            raise struct.error("before the beginning")
        if 4 + 2 * number >= struct.unpack_from("<H", self._data, offsets)[0]:
            return None
        offset = struct.unpack_from("<H", self._data, offsets + 4 + 2 * number)[0]
        return self._at + offset if offset else None
