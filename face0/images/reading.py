"""Numbers out of untrusted bytes, and what is raised where they are not right."""

import struct
from typing import Any

from schemas.failures import Reason


class BadImage(Exception):
    """An image that cannot be used, as is to be expected among millions: a row of failures, not an error."""

    def __init__(self, reason: Reason, message: str):
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


def read(data: bytes, at: int, layout: str) -> tuple[Any, ...]:
    """Reads numbers at a position. Raises BadImage if the data ends before."""
    if at + struct.calcsize(layout) > len(data):
        raise BadImage(Reason.TRUNCATED, f"ends after {len(data):,} bytes, within the header or what it points to")
    return struct.unpack_from(layout, data, at)
