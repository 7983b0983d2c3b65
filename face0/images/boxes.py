"""Boxes: what HEIF, JPEG 2000 and JPEG XL files are made of (ISO/IEC 14496-12, 4.2)."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from face0.images.reading import BadImage, read
from schemas.failures import Reason

MAX_BOXES = 10_000  # beside one another: each is a step in Python. Files have a few dozen


class Box(NamedTuple):
    """A box of a kind whose content is ``data[start:stop]``."""

    kind: bytes
    start: int
    stop: int


def boxes(data: bytes, start: int = 0, stop: int | None = None) -> Iterator[Box]:
    """Walks the boxes of a file, or those within another box.

    Args:
        data: the whole file.
        start: where the first box begins.
        stop: where the box ends that they lie in; None: they lie in none, and the last may be cut short.

    Raises:
        BadImage: the head of a box is cut off, or a box is longer than the one that it lies in.
    """
    at, end = start, len(data) if stop is None else stop
    for _ in range(MAX_BOXES):
        if at >= end:
            return
        size, kind = read(data, at, ">I4s")
        head = 8
        if size == 1:
            (size,) = read(data, at + 8, ">Q")
            head = 16
        elif size == 0:
            size = end - at
        if size < head or (stop is not None and at + size > stop):
            raise BadImage(Reason.CORRUPT, "a box is shorter than its head, or longer than the one that it lies in")
        yield Box(kind, at + head, at + size)
        at += size
    raise BadImage(Reason.BOMB, f"over {MAX_BOXES:,} boxes beside one another")


def box(kind: bytes, *content: bytes) -> bytes:
    """Makes a box of a kind."""
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, version: int, *content: bytes) -> bytes:
    """Makes a box that has a version, and no flags."""
    return box(kind, struct.pack(">I", version << 24), *content)
