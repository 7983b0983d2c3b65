"""Pictures taken out of TensorBoard's event files, whose figures stay. Records are copied as they are."""

import os
from collections.abc import Iterator
from typing import IO, Any

from face0.training.event_files import content_of, whole_records

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

    for first, size in whole_records(file):
        file.seek(first)
        record = file.read(size)
        try:
            values = Event.FromString(content_of(record)).summary.value
            picture = any(value.WhichOneof("value") in _PICTURES for value in values)
        except DecodeError:
            picture = True
        yield record, picture
