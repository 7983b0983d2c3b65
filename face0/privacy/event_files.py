"""Pictures taken out of TensorBoard's event files, whose figures stay.

The format (TFRecord): of each record 8 bytes of its length, little-endian, 4 of a checksum of these, the record (an
Event, a protocol buffer), and 4 of its checksum. Records are copied as they are.
"""

import os
import struct
from collections.abc import Iterator
from typing import IO, Any

_HEADER = struct.Struct("<QI")
_CHECKSUM = 4  # bytes
_PICTURES = {"image", "tensor"}  # kinds of values in which pictures are written


def has_pictures(file: IO[bytes]) -> bool:
    """Whether an event file holds pictures, or an end that was cut off and may hold a part of one."""
    kept = sum(len(record) for record, picture in _records(file) if not picture)
    return kept < file.seek(0, os.SEEK_END)


def copy_without_pictures(file: IO[bytes], output: Any) -> None:
    """Copies the records without pictures of an event file; an end that was cut off is left out."""
    for record, picture in _records(file):
        if not picture:
            output.write(record)


def _records(file: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The whole records, as bytes, and whether each holds pictures; one that does not parse counts as such."""
    from google.protobuf.message import DecodeError  # these two are for trainings' logs alone
    from tensorboard.compat.proto.event_pb2 import Event

    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    while len(header := file.read(_HEADER.size)) == _HEADER.size:
        length, _ = _HEADER.unpack(header)
        if length + _CHECKSUM > size - file.tell():
            return
        content, checksum = file.read(length), file.read(_CHECKSUM)
        try:
            values = Event.FromString(content).summary.value
            picture = any(value.WhichOneof("value") in _PICTURES for value in values)
        except DecodeError:
            picture = True
        yield header + content + checksum, picture
