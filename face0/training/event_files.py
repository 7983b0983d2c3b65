"""TensorBoard's event files, read back: their records, and the figures among them.

The format (TFRecord): of each record 8 bytes of its length, little-endian, 4 of a checksum of these, the record (an
Event, a protocol buffer), and 4 of its checksum.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from face0.io.folder import Folder

_HEADER = struct.Struct("<QI")
_CHECKSUM = 4  # bytes
_LARGEST = 2**12  # bytes of a record of a figure, far more than one takes; others, of pictures, are not read


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A figure of a training over its steps.

    Attributes:
        steps: ascending.
        times: when each was logged, in seconds since 1970.
        values: at each step.
    """

    steps: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def drop(self, step: int) -> None:
        """Drops what was logged of this step and those after it."""
        while self.steps and self.steps[-1] >= step:
            for values in (self.steps, self.times, self.values):
                values.pop()


def whole_records(file: IO[bytes]) -> Iterator[tuple[int, int]]:
    """Where the whole records of a file lie: of each its first byte, and its size with header and checksum.

    Nothing but headers is read. An end that was cut off is passed over.
    """
    size, start = file.seek(0, os.SEEK_END), 0
    while True:
        file.seek(start)
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            return
        length, _ = _HEADER.unpack(header)
        end = start + _HEADER.size + length + _CHECKSUM
        if end > size:
            return
        yield start, end - start
        start = end


def content_of(record: bytes) -> bytes:
    """The content of a whole record."""
    return record[_HEADER.size : -_CHECKSUM]


def read_figures(folder: Folder) -> dict[str, Figures]:
    """The figures of a folder of event files by name; empty if there are none.

    What a run that was killed had logged beyond the checkpoint from which the next one went on does not count, as in
    TensorBoard.
    """
    figures: dict[str, Figures] = {}
    for name in folder.files():  # their names begin with the time
        if "tfevents" in name.rpartition("/")[2]:
            with folder.open(name) as file:
                _add(figures, file)
    return figures


def _add(figures: dict[str, Figures], file: IO[bytes]) -> None:
    from google.protobuf.message import DecodeError  # these two are for trainings' logs alone
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog

    for first, size in whole_records(file):
        if size > _LARGEST:
            continue
        file.seek(first)
        try:
            event = Event.FromString(content_of(file.read(size)))
        except DecodeError:
            continue
        if event.session_log.status == SessionLog.START:
            for earlier in figures.values():
                earlier.drop(event.step)
        for value in event.summary.value:
            if value.WhichOneof("value") == "simple_value":
                logged = figures.setdefault(value.tag, Figures())
                logged.drop(event.step)
                logged.steps.append(event.step)
                logged.times.append(event.wall_time)
                logged.values.append(value.simple_value)
